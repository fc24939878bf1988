/* SPDX-License-Identifier: MIT */
#include "driver/archive.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The common ("System V") form: "!<arch>\n", then members of a 60-byte header and their bytes,
 * padded to an even length. The first member, "/", is the index: the number of symbols and the
 * offset of the member of each, big-endian, then their names. */
enum { MAGIC_BYTES = 8, HEADER_BYTES = 60, NAME_CHARACTERS = 14 };

/* The symbol table of an object; all ranges lie inside the object. */
struct symbols {
    const struct gruc_strbuf *object;
    size_t table, count;
    size_t names, names_length;
};

static int in_object(const struct gruc_strbuf *object, uint64_t offset, uint64_t size)
{
    return offset <= object->length && size <= object->length - offset;
}

static int read_section(const struct gruc_strbuf *object, const Elf64_Ehdr *header, size_t index,
                        Elf64_Shdr *out)
{
    uint64_t offset = header->e_shoff + (uint64_t)index * sizeof *out;
    if (index >= header->e_shnum || offset < header->e_shoff ||
        !in_object(object, offset, sizeof *out))
        return 0;
    memcpy(out, object->text + offset, sizeof *out);
    return out->sh_type == SHT_NOBITS || in_object(object, out->sh_offset, out->sh_size);
}

static int find_symbols(const struct gruc_strbuf *object, struct symbols *out)
{
    Elf64_Ehdr header;
    Elf64_Shdr section, names;
    *out = (struct symbols){.object = object};
    if (object->length < sizeof header)
        return 0;
    memcpy(&header, object->text, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_shentsize != sizeof section)
        return 0;
    for (size_t i = 0; i < header.e_shnum; i++) {
        if (!read_section(object, &header, i, &section))
            return 0;
        if (section.sh_type != SHT_SYMTAB)
            continue;
        if (!read_section(object, &header, section.sh_link, &names) || names.sh_size == 0 ||
            names.sh_type != SHT_STRTAB || object->text[names.sh_offset + names.sh_size - 1] != 0)
            return 0;
        out->table = section.sh_offset;
        out->count = section.sh_size / sizeof(Elf64_Sym);
        out->names = names.sh_offset;
        out->names_length = names.sh_size;
    }
    return 1;
}

/* The name of a symbol that other objects can link to, NULL for any other. */
static const char *linkable_name(const struct symbols *symbols, size_t index)
{
    Elf64_Sym symbol;
    memcpy(&symbol, symbols->object->text + symbols->table + index * sizeof symbol, sizeof symbol);
    unsigned binding = ELF64_ST_BIND(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_name >= symbols->names_length ||
        (binding != STB_GLOBAL && binding != STB_WEAK))
        return NULL;
    return symbols->object->text + symbols->names + symbol.st_name;
}

static void append_big_endian(struct gruc_strbuf *out, uint32_t value)
{
    unsigned char bytes[4] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                              (unsigned char)(value >> 8), (unsigned char)value};
    gruc_strbuf_append(out, bytes, sizeof bytes);
}

static void append_header(struct gruc_strbuf *out, const char *name, size_t size)
{
    char padded[20];
    snprintf(padded, sizeof padded, "%s/", name);
    gruc_strbuf_format(out, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", padded, 0, 0, 0, "644", size);
}

static void append_padding(struct gruc_strbuf *out)
{
    if (out->length % 2 != 0)
        gruc_strbuf_text(out, "\n");
}

enum gruc_status gruc_archive_write(const char *name, const struct gruc_strbuf *object,
                                    struct gruc_strbuf *out)
{
    struct symbols symbols;
    if (!find_symbols(object, &symbols) || object->length > UINT32_MAX / 2)
        return GRUC_ERROR_UNSUPPORTED;
    struct gruc_strbuf names;
    gruc_strbuf_init(&names);
    uint32_t count = 0;
    for (size_t i = 0; i < symbols.count; i++) {
        const char *symbol = linkable_name(&symbols, i);
        if (symbol == NULL)
            continue;
        gruc_strbuf_append(&names, symbol, strlen(symbol) + 1);
        count++;
    }
    size_t index_bytes = 4 + 4 * (size_t)count + names.length;
    size_t member = MAGIC_BYTES + HEADER_BYTES + index_bytes + index_bytes % 2;
    gruc_strbuf_text(out, "!<arch>\n");
    append_header(out, "", index_bytes);
    append_big_endian(out, count);
    for (uint32_t i = 0; i < count; i++)
        append_big_endian(out, (uint32_t)member);
    gruc_strbuf_append(out, names.text != NULL ? names.text : "", names.length);
    append_padding(out);
    char member_name[NAME_CHARACTERS + 2];
    snprintf(member_name, sizeof member_name, "%.*s.o", NAME_CHARACTERS - 2, name);
    append_header(out, member_name, object->length);
    gruc_strbuf_append(out, object->text, object->length);
    append_padding(out);
    int failed = names.failed || out->failed;
    gruc_strbuf_finish(&names);
    return failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}
