/** Reads what JavaScript passes; throws TypeError for what is not what the interface says. */
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "driverApi.h"

namespace thalweg {

/** `what` names the value in messages. */
[[noreturn]] void failType(Napi::Value value, const std::string& what, const char* expected);

double readNumber(Napi::Value value, const char* what);
/** A whole number of at most 53 bits. */
std::int64_t readInteger(Napi::Value value, const char* what);
/** A whole number that is not negative. */
std::size_t readSize(Napi::Value value, const char* what);
driver::Address readAddress(Napi::Value value, const char* what);
int readInt(Napi::Value value, const char* what);
unsigned readUnsigned(Napi::Value value, const char* what);
/** 32 bits, written as a signed or as an unsigned number. */
unsigned readWord(Napi::Value value, const char* what);
bool readBoolean(Napi::Value value, const char* what);
std::string readText(Napi::Value value, const char* what);
Napi::Object readObject(Napi::Value value, const char* what);
Napi::Array readArray(Napi::Value value, const char* what);
std::vector<std::string> readTexts(Napi::Value value, const char* what);
/** The bytes of a Uint8Array. */
std::string readBytes(Napi::Value value, const char* what);

}  // namespace thalweg
