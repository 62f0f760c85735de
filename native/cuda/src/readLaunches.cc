#include "moduleObjects.h"
#include "sequenceObjects.h"

namespace thalweg {
namespace {

std::array<unsigned, 3> readExtents(Napi::Value value, const char* what) {
  const Napi::Array array = readArray(value, what);
  if (array.Length() != 3) failType(value, what, "three sizes");
  std::array<unsigned, 3> extents;
  for (std::uint32_t axis = 0; axis < 3; ++axis) extents[axis] = readUnsigned(array.Get(axis), what);
  return extents;
}

/** What lives in another context must not be mixed in: its handles mean nothing here. */
void checkContext(const std::shared_ptr<Context>& own, const std::shared_ptr<Context>& other, Napi::Value value,
                  const char* what) {
  if (own != other) failType(value, what, "one of the same context");
}

std::vector<std::size_t> readAfter(Napi::Value value, std::size_t index) {
  const Napi::Array array = readArray(value, "after");
  std::vector<std::size_t> after;
  for (std::uint32_t entry = 0; entry < array.Length(); ++entry) {
    const Napi::Value earlier = array.Get(entry);
    after.push_back(readSize(earlier, "after"));
    if (after.back() >= index) failType(earlier, "after", "the index of an earlier launch");
  }
  return after;
}

KernelLaunch readKernel(const std::shared_ptr<Context>& context, const Napi::Object& launch) {
  const Napi::Value function = launch.Get("function");
  KernelLaunch kernel{FunctionObject::from(function, "function"), readExtents(launch.Get("grid"), "grid"),
                      readExtents(launch.Get("block"), "block"), readUnsigned(launch.Get("sharedBytes"), "sharedBytes"),
                      {}};
  checkContext(context, kernel.function->module().context(), function, "function");
  return kernel;
}

FillLaunch readFill(const Napi::Object& launch) {
  const FillLaunch fill{readWord(launch.Get("word"), "word"), readSize(launch.Get("words"), "words"), 0};
  if (fill.words == 0) failType(launch.Get("words"), "words", "at least 1");
  return fill;
}

ProductLaunch readProduct(const std::shared_ptr<Context>& context, const Napi::Object& launch) {
  const Napi::Value product = launch.Get("product");
  ProductLaunch result{ProductObject::from(product, "product"), {}};
  checkContext(context, result.product->context(), product, "product");
  return result;
}

ProductMatrix readMatrix(Napi::Value value, const char* what) {
  const Napi::Object object = readObject(value, what);
  ProductMatrix matrix;
  matrix.type = readInt(object.Get("type"), "type");
  matrix.transposed = readBoolean(object.Get("transposed"), "transposed");
  matrix.leading = readInteger(object.Get("leading"), "leading");
  matrix.batchStride = readInteger(object.Get("batchStride"), "batchStride");
  return matrix;
}

}  // namespace

void readArguments(Launch& launch, Napi::Value value) {
  const Napi::Array array = readArray(value, "arguments");
  const std::uint32_t count = array.Length();
  if (auto* kernel = std::get_if<KernelLaunch>(&launch.what)) {
    kernel->arguments.resize(count);
    for (std::uint32_t index = 0; index < count; ++index)
      kernel->arguments[index] = readInteger(array.Get(index), "an argument");
  } else if (auto* fill = std::get_if<FillLaunch>(&launch.what)) {
    if (count != 1) failType(value, "arguments", "the address to fill");
    fill->to = readAddress(array.Get(0u), "the address to fill");
  } else {
    ProductAddresses& addresses = std::get<ProductLaunch>(launch.what).addresses;
    if (count != addresses.size()) failType(value, "arguments", "the six addresses of a product");
    for (std::uint32_t index = 0; index < count; ++index)
      addresses[index] = readAddress(array.Get(index), "an address of a product");
  }
}

std::vector<Launch> readLaunches(const std::shared_ptr<Context>& context, Napi::Value value) {
  const Napi::Array array = readArray(value, "launches");
  std::vector<Launch> launches;
  launches.reserve(array.Length());
  for (std::uint32_t index = 0; index < array.Length(); ++index) {
    const Napi::HandleScope scope(value.Env());
    const Napi::Object object = readObject(array.Get(index), "a launch");
    const std::string kind = readText(object.Get("kind"), "kind");
    Launch launch;
    if (kind == "kernel") {
      launch.what = readKernel(context, object);
    } else if (kind == "fill") {
      launch.what = readFill(object);
    } else if (kind == "product") {
      launch.what = readProduct(context, object);
    } else {
      failType(object.Get("kind"), "kind", "kernel, fill or product");
    }
    const Napi::Value after = object.Get("after");
    if (!after.IsUndefined()) launch.after = readAfter(after, index);
    readArguments(launch, object.Get("arguments"));
    launches.push_back(std::move(launch));
  }
  return launches;
}

ProductDescription readProductDescription(Napi::Value value) {
  const Napi::Object object = readObject(value, "description");
  ProductDescription description;
  description.m = readInteger(object.Get("m"), "m");
  description.n = readInteger(object.Get("n"), "n");
  description.k = readInteger(object.Get("k"), "k");
  description.batch = readInt(object.Get("batch"), "batch");
  description.computeType = readInt(object.Get("computeType"), "computeType");
  description.scaleType = readInt(object.Get("scaleType"), "scaleType");
  description.alpha = readNumber(object.Get("alpha"), "alpha");
  description.beta = readNumber(object.Get("beta"), "beta");
  description.a = readMatrix(object.Get("a"), "a");
  description.b = readMatrix(object.Get("b"), "b");
  description.d = readMatrix(object.Get("d"), "d");
  description.epilogue = readInt(object.Get("epilogue"), "epilogue");
  description.biasType = readInt(object.Get("biasType"), "biasType");
  description.workspaceBytes = readSize(object.Get("workspaceBytes"), "workspaceBytes");
  description.choice = readInt(object.Get("choice"), "choice");
  if (description.choice < 0) failType(object.Get("choice"), "choice", "at least 0");
  const Napi::Value alignment = object.Get("alignment");
  if (!alignment.IsUndefined()) description.alignment = readUnsigned(alignment, "alignment");
  return description;
}

}  // namespace thalweg
