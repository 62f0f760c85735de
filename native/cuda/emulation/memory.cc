// Memory of the devices and page-locked memory: every allocation is known, has pages around it that must not be touched, and
// begins as garbage.
#include <sys/mman.h>

#include <cstring>

#include "driver.h"

namespace thalweg::driver {
namespace {

constexpr size_t page = 4096;
// What has been freed stays out of use for a while, or a stale address would soon be a good one again.
constexpr size_t keptFreed = 1024;

std::map<uint64_t, Allocation>& allocations() {
  static std::map<uint64_t, Allocation> all;
  return all;
}

std::deque<std::pair<void*, size_t>>& freed() {
  static std::deque<std::pair<void*, size_t>> all;
  return all;
}

// Memory that ends, but for what its alignment of 256 leaves over, where a page begins that must not be touched.
bool allocate(ContextHandle& context, size_t bytes, bool onDevice, uint64_t& address) {
  const size_t used = (bytes + 255) / 256 * 256;
  const size_t pages = (used + page - 1) / page * page;
  const size_t mappedBytes = pages + 2 * page;
  void* mapped = mmap(nullptr, mappedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return false;
  char* begin = static_cast<char*>(mapped) + page;
  if (mprotect(begin, pages, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapped, mappedBytes);
    return false;
  }
  memset(begin, 0xff, pages);
  address = reinterpret_cast<uint64_t>(begin + pages - used);
  allocations()[address] = {address, bytes, &context, onDevice, mapped, mappedBytes};
  if (onDevice) deviceState(context.device).used += used;
  return true;
}

void release(const Allocation& allocation) {
  if (allocation.onDevice) deviceState(allocation.context->device).used -= (allocation.bytes + 255) / 256 * 256;
  mmap(allocation.mapped, allocation.mappedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  freed().push_back({allocation.mapped, allocation.mappedBytes});
  if (freed().size() > keptFreed) {
    munmap(freed().front().first, freed().front().second);
    freed().pop_front();
  }
  const uint64_t address = allocation.address;
  allocations().erase(address);
}

Status freeAt(uint64_t address, bool onDevice) {
  const Status status = contextStatus();
  if (status != success) return status;
  const auto found = allocations().find(address);
  if (found == allocations().end() || found->second.onDevice != onDevice) return invalidValue;
  // As the real one, which frees what is still in use only once it no longer is.
  drain(*found->second.context);
  release(found->second);
  return success;
}

std::string describe(uint64_t address, size_t bytes) {
  char text[100];
  snprintf(text, sizeof text, "%zu bytes at 0x%llx", bytes, static_cast<unsigned long long>(address));
  return text;
}

Command copyCommand(uint64_t to, uint64_t from, size_t bytes, bool checkTo, bool checkFrom) {
  return [=](ContextHandle& context) {
    if (checkTo && !isAccessible(context, to, bytes)) {
      context.fail(illegalAddress, "a copy to " + describe(to, bytes));
    } else if (checkFrom && !isAccessible(context, from, bytes)) {
      context.fail(illegalAddress, "a copy from " + describe(from, bytes));
    } else {
      memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
    }
  };
}

bool isPinned(uint64_t address, size_t bytes) {
  const Allocation* allocation = findAllocation(address, bytes);
  return allocation != nullptr && !allocation->onDevice;
}

// What a call is told before anything runs.
Status checkCopy(Stream handle, StreamHandle*& stream) {
  const Status status = contextStatus();
  if (status != success) return status;
  stream = streamOf(handle, *currentContext());
  return stream == nullptr ? invalidHandle : success;
}

}  // namespace

const Allocation* findAllocation(uint64_t address, size_t bytes) {
  auto after = allocations().upper_bound(address);
  if (after == allocations().begin()) return nullptr;
  const Allocation& allocation = (--after)->second;
  const uint64_t offset = address - allocation.address;
  return offset < allocation.bytes && bytes <= allocation.bytes - offset ? &allocation : nullptr;
}

bool isAccessible(const ContextHandle& context, uint64_t address, size_t bytes) {
  const Allocation* allocation = findAllocation(address, bytes);
  return allocation != nullptr && (!allocation->onDevice || allocation->context == &context);
}

void freeAllocations(ContextHandle& context) {
  std::vector<Allocation> its;
  for (const auto& [address, allocation] : allocations())
    if (allocation.context == &context) its.push_back(allocation);
  for (const Allocation& allocation : its) release(allocation);
}

Command fillCommand(Address to, unsigned word, size_t words) {
  return [=](ContextHandle& context) {
    if (!isAccessible(context, to, words * 4)) {
      context.fail(illegalAddress, "a fill of " + describe(to, words * 4));
      return;
    }
    auto* at = reinterpret_cast<uint32_t*>(to);
    for (size_t i = 0; i < words; i++) at[i] = word;
  };
}

THALWEG_EXPORT Status cuMemGetInfo_v2(size_t* free, size_t* total) {
  const Lock lock(driverMutex());
  const Status status = contextStatus();
  if (status != success) return status;
  const DeviceState& device = deviceState(currentContext()->device);
  *total = device.limit;
  *free = device.limit - device.used;
  return success;
}

THALWEG_EXPORT Status cuMemAlloc_v2(Address* address, size_t bytes) {
  const Lock lock(driverMutex());
  const Status status = contextStatus();
  if (status != success) return status;
  if (bytes == 0) return invalidValue;
  const DeviceState& device = deviceState(currentContext()->device);
  if (bytes > device.limit || (bytes + 255) / 256 * 256 > device.limit - device.used) return outOfMemory;
  uint64_t allocated = 0;
  if (!allocate(*currentContext(), bytes, true, allocated)) return outOfMemory;
  *address = allocated;
  return success;
}

THALWEG_EXPORT Status cuMemFree_v2(Address address) {
  const Lock lock(driverMutex());
  return address == 0 ? success : freeAt(address, true);
}

THALWEG_EXPORT Status cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  const Lock lock(driverMutex());
  const Status status = contextStatus();
  if (status != success) return status;
  if (bytes == 0) return invalidValue;
  uint64_t address = 0;
  if (bytes > size_t(1) << 40 || !allocate(*currentContext(), bytes, false, address)) return outOfMemory;
  *memory = reinterpret_cast<void*>(address);
  return success;
}

THALWEG_EXPORT Status cuMemFreeHost(void* memory) {
  const Lock lock(driverMutex());
  return freeAt(reinterpret_cast<uint64_t>(memory), false);
}

THALWEG_EXPORT Status cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, Stream handle) {
  const Lock lock(driverMutex());
  StreamHandle* stream = nullptr;
  const Status status = checkCopy(handle, stream);
  if (status != success) return status;
  if (bytes == 0) return success;
  if (from == nullptr || !isAccessible(*currentContext(), to, bytes)) return invalidValue;
  const uint64_t source = reinterpret_cast<uint64_t>(from);
  if (isPinned(source, bytes)) {
    enqueue(*stream, copyCommand(to, source, bytes, true, true));
    return success;
  }
  // Memory that may be paged out is read before the call returns.
  auto staged = std::make_shared<std::vector<char>>(static_cast<const char*>(from), static_cast<const char*>(from) + bytes);
  enqueue(*stream, [=](ContextHandle& context) {
    copyCommand(to, reinterpret_cast<uint64_t>(staged->data()), bytes, true, false)(context);
  });
  return success;
}

THALWEG_EXPORT Status cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, Stream handle) {
  const Lock lock(driverMutex());
  StreamHandle* stream = nullptr;
  const Status status = checkCopy(handle, stream);
  if (status != success) return status;
  if (bytes == 0) return success;
  if (to == nullptr || !isAccessible(*currentContext(), from, bytes)) return invalidValue;
  const uint64_t target = reinterpret_cast<uint64_t>(to);
  const bool pinned = isPinned(target, bytes);
  enqueue(*stream, copyCommand(target, from, bytes, pinned, true));
  // And written before it returns.
  if (!pinned && stream->capture == nullptr) drain(*stream);
  return stream->context.failure;
}

THALWEG_EXPORT Status cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, Stream handle) {
  const Lock lock(driverMutex());
  StreamHandle* stream = nullptr;
  const Status status = checkCopy(handle, stream);
  if (status != success) return status;
  if (bytes == 0) return success;
  if (!isAccessible(*currentContext(), to, bytes) || !isAccessible(*currentContext(), from, bytes)) return invalidValue;
  enqueue(*stream, copyCommand(to, from, bytes, true, true));
  return success;
}

THALWEG_EXPORT Status cuMemsetD32Async(Address to, unsigned word, size_t words, Stream handle) {
  const Lock lock(driverMutex());
  StreamHandle* stream = nullptr;
  const Status status = checkCopy(handle, stream);
  if (status != success) return status;
  if (words == 0) return success;
  if (to % 4 != 0 || !isAccessible(*currentContext(), to, words * 4)) return invalidValue;
  if (stream->capture != nullptr)
    stream->capture->append(NodeKind::fill, fillCommand(to, word, words));
  else
    enqueue(*stream, fillCommand(to, word, words));
  return success;
}

}  // namespace thalweg::driver
