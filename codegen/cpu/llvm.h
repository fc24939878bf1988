/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_LLVM_H
#define GRUC_CODEGEN_CPU_LLVM_H

/* The LLVM C API, and every difference between the releases (16 to 19) it is built with. */

#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/BitWriter.h>
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/ErrorHandling.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <llvm/Config/llvm-config.h>

#if LLVM_VERSION_MAJOR < 16 || LLVM_VERSION_MAJOR > 19
#error "LLVM 16 to 19 is needed"
#endif

/* Up to LLVM 18 the length of a string constant is unsigned. */
static inline LLVMValueRef l_bytes(LLVMContextRef context, const char *bytes, size_t length)
{
#if LLVM_VERSION_MAJOR >= 19
    return LLVMConstStringInContext2(context, bytes, length, 1);
#else
    return LLVMConstStringInContext(context, bytes, (unsigned)length, 1);
#endif
}

#endif
