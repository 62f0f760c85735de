#include "embedded.h"

// The build defines where the files lie; only what they hold goes into the library.
asm(".pushsection .rodata\n"
    "thalwegStateText:\n"
    ".incbin \"" THALWEG_EMULATION_FOLDER "/state.h\"\n"
    "thalwegEmulationText:\n"
    ".incbin \"" THALWEG_EMULATION_FOLDER "/emulation.h\"\n"
    "thalwegTextsEnd:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" __attribute__((visibility("hidden"))) const char thalwegStateText[], thalwegEmulationText[], thalwegTextsEnd[];

namespace emulation {

std::string embeddedState() { return {thalwegStateText, thalwegEmulationText}; }
std::string embeddedEmulation() { return {thalwegEmulationText, thalwegTextsEnd}; }

}  // namespace emulation
