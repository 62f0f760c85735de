// Devices, contexts, and the names of what goes wrong.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "driver.h"

THALWEG_EXPORT const int thalwegEmulatedCuda = 1;

namespace thalweg::driver {
namespace {

constexpr int deviceCount = 2;
bool initialized = false;
thread_local std::vector<Context> currentContexts;

struct ErrorText {
  Status status;
  const char* name;
  const char* description;
};

constexpr ErrorText errorTexts[] = {
    {success, "CUDA_SUCCESS", "no error"},
    {invalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {outOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {notInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {invalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {invalidImage, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {invalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {noBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {invalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {notFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {notReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {illegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {misalignedAddress, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {launchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {captureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {captureUnmatched, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"},
    {graphUpdateFailure, "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE",
     "the graph update was not performed because it included changes which violated constraints"},
};

const ErrorText* errorText(Status status) {
  const auto* found = std::find_if(std::begin(errorTexts), std::end(errorTexts),
                                   [&](const ErrorText& text) { return text.status == status; });
  return found == std::end(errorTexts) ? nullptr : found;
}

// What the emulation knows of the last failure of each kind, which a GPU could not say.
std::map<Status, std::string>& failures() {
  static std::map<Status, std::string> texts;
  return texts;
}

std::unordered_set<const void*>& liveHandles() {
  static std::unordered_set<const void*> handles;
  return handles;
}

size_t memoryLimit() {
  const char* text = getenv("THALWEG_CUDA_EMULATION_MEMORY");
  const unsigned long long bytes = text == nullptr ? 0 : strtoull(text, nullptr, 10);
  return bytes != 0 ? size_t(bytes) : size_t(1) << 30;
}

}  // namespace

std::recursive_mutex& driverMutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

DeviceState& deviceState(Device device) {
  static DeviceState devices[deviceCount];
  return devices[device];
}

bool isLive(const void* handle) { return liveHandles().count(handle) != 0; }
void addHandle(const void* handle) { liveHandles().insert(handle); }
void removeHandle(const void* handle) { liveHandles().erase(handle); }

void ContextHandle::fail(Status status, const std::string& what) {
  if (failure != success) return;
  failure = status;
  const ErrorText* text = errorText(status);
  failures()[status] = std::string(text == nullptr ? "" : text->description) + ": " + what;
}

ContextHandle* currentContext() {
  return currentContexts.empty() || !isLive(currentContexts.back()) ? nullptr : currentContexts.back();
}

Status contextStatus() {
  if (!initialized) return notInitialized;
  const ContextHandle* context = currentContext();
  return context == nullptr ? invalidContext : context->failure;
}

THALWEG_EXPORT Status cuInit(unsigned flags) {
  const Lock lock(driverMutex());
  if (flags != 0) return invalidValue;
  initialized = true;
  for (Device device = 0; device < deviceCount; device++) deviceState(device).limit = memoryLimit();
  return success;
}

THALWEG_EXPORT Status cuDriverGetVersion(int* version) {
  *version = 13000;
  return success;
}

THALWEG_EXPORT Status cuGetErrorName(Status status, const char** name) {
  const ErrorText* text = errorText(status);
  *name = text == nullptr ? nullptr : text->name;
  return text == nullptr ? invalidValue : success;
}

THALWEG_EXPORT Status cuGetErrorString(Status status, const char** description) {
  const Lock lock(driverMutex());
  const ErrorText* text = errorText(status);
  *description = text == nullptr ? nullptr : text->description;
  if (text == nullptr) return invalidValue;
  const auto detailed = failures().find(status);
  if (detailed != failures().end()) {
    static thread_local std::string kept;
    kept = detailed->second;
    *description = kept.c_str();
  }
  return success;
}

THALWEG_EXPORT Status cuDeviceGetCount(int* count) {
  *count = deviceCount;
  return initialized ? success : notInitialized;
}

THALWEG_EXPORT Status cuDeviceGet(Device* device, int ordinal) {
  if (ordinal < 0 || ordinal >= deviceCount) return invalidDevice;
  *device = ordinal;
  return initialized ? success : notInitialized;
}

THALWEG_EXPORT Status cuDeviceGetName(char* name, int bytes, Device device) {
  if (device < 0 || device >= deviceCount) return invalidDevice;
  if (bytes <= 0) return invalidValue;
  strncpy(name, "Emulated", size_t(bytes));
  name[bytes - 1] = 0;
  return success;
}

// Those of an H200.
THALWEG_EXPORT Status cuDeviceGetAttribute(int* value, int attribute, Device device) {
  if (device < 0 || device >= deviceCount) return invalidDevice;
  switch (attribute) {
    case attributeClockRate: *value = 1980000; return success;
    case attributeMultiprocessorCount: *value = 132; return success;
    case attributeMemoryClockRate: *value = 3201000; return success;
    case attributeMemoryBusWidth: *value = 6144; return success;
    case attributeL2CacheSize: *value = 60 << 20; return success;
    case attributeComputeCapabilityMajor: *value = 9; return success;
    case attributeComputeCapabilityMinor: *value = 0; return success;
    case attributeSharedBytesPerMultiprocessor: *value = 228 * 1024; return success;
    case attributeSharedBytesPerBlock: *value = int(emulationSharedLimit); return success;
    default: return invalidValue;
  }
}

THALWEG_EXPORT Status cuDeviceTotalMem_v2(size_t* bytes, Device device) {
  if (device < 0 || device >= deviceCount) return invalidDevice;
  *bytes = deviceState(device).limit;
  return success;
}

THALWEG_EXPORT Status cuDeviceGetUuid_v2(Uuid* uuid, Device device) {
  if (device < 0 || device >= deviceCount) return invalidDevice;
  memcpy(uuid->bytes, "thalweg-emulated", 16);
  uuid->bytes[15] = char('0' + device);
  return success;
}

THALWEG_EXPORT Status cuCtxCreate_v2(Context* context, unsigned, Device device) {
  const Lock lock(driverMutex());
  if (!initialized) return notInitialized;
  if (device < 0 || device >= deviceCount) return invalidDevice;
  auto* created = new ContextHandle(device);
  created->defaultStream = new StreamHandle(*created);
  created->streams.insert(created->defaultStream);
  addHandle(created);
  addHandle(created->defaultStream);
  currentContexts.push_back(created);
  *context = created;
  return success;
}

THALWEG_EXPORT Status cuCtxDestroy_v2(Context context) {
  const Lock lock(driverMutex());
  if (!isLive(context)) return invalidContext;
  drain(*context);
  while (!context->modules.empty()) destroyModule(*context->modules.begin());
  destroyStreams(*context);
  freeAllocations(*context);
  removeHandle(context);
  // As the real one: popped where it is current on this thread.
  if (!currentContexts.empty() && currentContexts.back() == context) currentContexts.pop_back();
  delete context;
  return success;
}

THALWEG_EXPORT Status cuCtxPushCurrent_v2(Context context) {
  const Lock lock(driverMutex());
  if (!isLive(context)) return invalidContext;
  currentContexts.push_back(context);
  return success;
}

THALWEG_EXPORT Status cuCtxPopCurrent_v2(Context* context) {
  const Lock lock(driverMutex());
  if (currentContexts.empty()) return invalidContext;
  if (context != nullptr) *context = currentContexts.back();
  currentContexts.pop_back();
  return success;
}

THALWEG_EXPORT Status cuCtxSynchronize() {
  const Lock lock(driverMutex());
  const Status status = contextStatus();
  if (status != success) return status;
  drain(*currentContext());
  return currentContext()->failure;
}

THALWEG_EXPORT Status cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  const Lock lock(driverMutex());
  const Status status = contextStatus();
  if (status != success) return status;
  *least = 0;
  *greatest = -5;
  return success;
}

}  // namespace thalweg::driver
