# SPDX-License-Identifier: MIT
# The layer tables of doc/model.md from frontend/layers.def:
#   awk -f doc/layers.awk frontend/layers.def
BEGIN {
  FS = "\""
  type["INTEGER"] = "integer"; type["NUMBER"] = "number"; type["NUMBER_OR_NULL"] = "number or `~`"
  type["BOOLEAN"] = "true or false"; type["CHOICE"] = "word"; type["ACTIVATION"] = "activation"
  type["INITIALIZER"] = "initializer"; type["REGULARIZER"] = "regularizer or `~`"
  type["CONSTRAINT"] = "constraint or `~`"; type["LAYER"] = "layer"; type["SHAPE"] = "list of integers"
  type["LAYER_NAME"] = "name"; type["NAME"] = "tensor"; type["NAMES"] = "tensor or list of tensors"
  type["IGNORED"] = "anything"; type["AXIS"] = "integer, before keras 3 or a list of one"
  keras["IN_ALL"] = "1 2 3"; keras["IN_TF"] = "1 2"; keras["IN_KERAS3"] = "3"
}

function head(title, text) {
  printf "\n### %s\n\n%s.\n\n", title, text
  print "| argument | value | default | keras | meaning |"
  print "|---|---|---|---|---|"
}

# How a default differs by lineage: one text, or three between bars.
function initial(text, part, count) {
  count = split(text, part, "|")
  if (count != 3)
    return "`" text "`"
  if (part[1] == part[2])
    return "`" part[1] "`; keras 3: `" part[3] "`"
  return "`" part[2] "`; keras 1: `" part[1] "`"
}

/^GRUC_LAYER\(/ {
  layers++
  head($2, toupper(substr($6, 1, 1)) substr($6, 2))
}

/^GRUC_ARGUMENT\(/ {
  split($1, name, /[(, ]+/)
  split($3, rest, /[, ]+/)
  required = rest[3] == "NULL"
  range = $2
  if (name[2] == "ANY" && !any++)
    head("Every layer", "These stand at any layer")
  value = type[name[4]]
  if (name[4] == "CHOICE") {
    gsub(/\|/, "`, `", range)
    value = "`" range "`"
  } else if (range ~ /\.\.$/) {
    value = value " from " substr(range, 1, length(range) - 2)
  } else if (range != "") {
    sub(/\.\./, " to ", range)
    value = value ", " range
  }
  printf "| `%s` | %s | %s | %s | %s |\n", name[3], value, required ? "must be given" : initial($4),
    keras[rest[2]], required ? $4 : $6
}
