#include "arguments.h"

#include <cmath>
#include <limits>

namespace thalweg {
namespace {

constexpr double largestInteger = 9007199254740991.0;

template <class Integer>
Integer readRange(Napi::Value value, const char* what, double least, double most, const char* expected) {
  const double number = readNumber(value, what);
  if (!(number >= least && number <= most) || number != std::trunc(number)) failType(value, what, expected);
  return static_cast<Integer>(number);
}

}  // namespace

void failType(Napi::Value value, const std::string& what, const char* expected) {
  throw Napi::TypeError::New(value.Env(), what + " is " + value.ToString().Utf8Value() + ", expected " + expected);
}

double readNumber(Napi::Value value, const char* what) {
  if (!value.IsNumber()) failType(value, what, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

std::int64_t readInteger(Napi::Value value, const char* what) {
  return readRange<std::int64_t>(value, what, -largestInteger, largestInteger, "a whole number");
}

std::size_t readSize(Napi::Value value, const char* what) {
  return readRange<std::size_t>(value, what, 0, largestInteger, "a whole number that is not negative");
}

driver::Address readAddress(Napi::Value value, const char* what) {
  return readRange<driver::Address>(value, what, 0, largestInteger, "an address");
}

int readInt(Napi::Value value, const char* what) {
  return readRange<int>(value, what, std::numeric_limits<int>::min(), std::numeric_limits<int>::max(), "an int32");
}

unsigned readUnsigned(Napi::Value value, const char* what) {
  return readRange<unsigned>(value, what, 0, std::numeric_limits<unsigned>::max(), "a uint32");
}

unsigned readWord(Napi::Value value, const char* what) {
  return static_cast<unsigned>(readRange<std::int64_t>(value, what, std::numeric_limits<int>::min(),
                                                       std::numeric_limits<unsigned>::max(), "32 bits"));
}

bool readBoolean(Napi::Value value, const char* what) {
  if (!value.IsBoolean()) failType(value, what, "a boolean");
  return value.As<Napi::Boolean>();
}

std::string readText(Napi::Value value, const char* what) {
  if (!value.IsString()) failType(value, what, "a string");
  return value.As<Napi::String>();
}

Napi::Object readObject(Napi::Value value, const char* what) {
  if (!value.IsObject()) failType(value, what, "an object");
  return value.As<Napi::Object>();
}

Napi::Array readArray(Napi::Value value, const char* what) {
  if (!value.IsArray()) failType(value, what, "an array");
  return value.As<Napi::Array>();
}

std::vector<std::string> readTexts(Napi::Value value, const char* what) {
  const Napi::Array array = readArray(value, what);
  std::vector<std::string> texts;
  texts.reserve(array.Length());
  for (std::uint32_t index = 0; index < array.Length(); ++index) texts.push_back(readText(array.Get(index), what));
  return texts;
}

std::string readBytes(Napi::Value value, const char* what) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    failType(value, what, "a Uint8Array");
  const auto array = value.As<Napi::Uint8Array>();
  return std::string(reinterpret_cast<const char*>(array.Data()), array.ElementLength());
}

}  // namespace thalweg
