#include "device.h"

namespace thalweg {
namespace {

std::string uuidText(const driver::Uuid& uuid) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text = "GPU-";
  for (std::size_t index = 0; index < sizeof uuid.bytes; ++index) {
    if (index == 4 || index == 6 || index == 8 || index == 10) text += '-';
    const auto byte = static_cast<unsigned char>(uuid.bytes[index]);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace

int deviceCount(const Libraries& libraries) {
  int count = 0;
  libraries.checkDriver(libraries.driver().cuDeviceGetCount(&count), "cuDeviceGetCount");
  return count;
}

DeviceInfo deviceInfo(const Libraries& libraries, int ordinal) {
  const driver::Functions& driver = libraries.driver();
  const auto check = [&](driver::Status status, const char* call) {
    libraries.checkDriver(status, [&] { return std::string(call) + " of device " + std::to_string(ordinal); });
  };
  driver::Device device = 0;
  check(driver.cuDeviceGet(&device, ordinal), "cuDeviceGet");
  const auto attribute = [&](int which) {
    int value = 0;
    check(driver.cuDeviceGetAttribute(&value, which, device), "cuDeviceGetAttribute");
    return value;
  };
  char name[256] = {};
  std::size_t memoryBytes = 0;
  driver::Uuid uuid{};
  check(driver.cuDeviceGetName(name, sizeof name - 1, device), "cuDeviceGetName");
  check(driver.cuDeviceTotalMem_v2(&memoryBytes, device), "cuDeviceTotalMem_v2");
  check(driver.cuDeviceGetUuid_v2(&uuid, device), "cuDeviceGetUuid_v2");
  return {
      .ordinal = ordinal,
      .name = name,
      .architecture = attribute(driver::attributeComputeCapabilityMajor) * 10 +
                      attribute(driver::attributeComputeCapabilityMinor),
      .multiprocessors = attribute(driver::attributeMultiprocessorCount),
      .memoryBytes = memoryBytes,
      .l2Bytes = attribute(driver::attributeL2CacheSize),
      .sharedBytesPerBlock = attribute(driver::attributeSharedBytesPerBlock),
      .sharedBytesPerMultiprocessor = attribute(driver::attributeSharedBytesPerMultiprocessor),
      .clockKiloHertz = attribute(driver::attributeClockRate),
      .memoryClockKiloHertz = attribute(driver::attributeMemoryClockRate),
      .memoryBusBits = attribute(driver::attributeMemoryBusWidth),
      .uuid = uuidText(uuid),
  };
}

}  // namespace thalweg
