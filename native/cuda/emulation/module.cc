// Modules, which are shared objects, and launches of their functions.
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "driver.h"

namespace thalweg::driver {

struct ModuleHandle {
  ContextHandle* context;
  void* library = nullptr;
  // The file it was loaded from stays open: its path must not become that of another module meanwhile.
  int file = -1;
  EmulationState* state = nullptr;
  std::map<std::string, std::unique_ptr<FunctionHandle>> functions;

  ~ModuleHandle() {
    if (library != nullptr) dlclose(library);
    if (file >= 0) close(file);
  }
};

namespace {

bool writeAll(int file, const char* bytes, size_t count) {
  while (count > 0) {
    const ssize_t written = write(file, bytes, count);
    if (written <= 0) return false;
    bytes += written;
    count -= size_t(written);
  }
  return true;
}

Status load(ModuleHandle& module, const void* image) {
  ImageHeader header;
  memcpy(&header, image, sizeof header);
  if (memcmp(header.magic, imageMagic, sizeof header.magic) != 0) return invalidImage;
  if (header.version != imageVersion()) return noBinaryForGpu;
  module.file = memfd_create("thalweg-module", MFD_CLOEXEC);
  if (module.file < 0 || !writeAll(module.file, static_cast<const char*>(image) + sizeof header, header.bytes)) return outOfMemory;
  const std::string path = "/proc/self/fd/" + std::to_string(module.file);
  module.library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module.library == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    return invalidImage;
  }
  auto* const* state = static_cast<EmulationState* const*>(dlsym(module.library, "thalwegEmulation"));
  if (state == nullptr) return invalidImage;
  module.state = *state;
  return success;
}

Status statusOf(EmulationStatus status) {
  switch (status) {
    case emulationDone: return success;
    case emulationInvalid: return invalidValue;
    case emulationIllegalAddress: return illegalAddress;
    case emulationMisaligned: return misalignedAddress;
    default: return launchFailed;
  }
}

Status checkFunction(Function function) {
  const Status status = contextStatus();
  if (status != success) return status;
  return isLive(function) ? success : invalidHandle;
}

}  // namespace

void destroyModule(ModuleHandle* module) {
  module->context->modules.erase(module);
  for (const auto& [name, function] : module->functions) removeHandle(function.get());
  removeHandle(module);
  delete module;
}

Status KernelCommand::check(const ContextHandle& context) const {
  if (!isLive(function) || function->module->context != &context) return invalidHandle;
  if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0 || grid[0] > 0x7fffffffu || grid[1] > 65535 || grid[2] > 65535)
    return invalidValue;
  if (block[0] == 0 || block[1] == 0 || block[2] == 0 || block[0] > 1024 || block[1] > 1024 || block[2] > 64)
    return invalidValue;
  if (block[0] * block[1] * block[2] > 1024 || sharedBytes > function->dynamicSharedLimit) return invalidValue;
  return arguments.size() > emulationArgumentLimit ? invalidValue : success;
}

void KernelCommand::operator()(ContextHandle& context) const {
  for (size_t i = 0; i < arguments.size(); i++) {
    const Allocation* allocation = findAllocation(arguments[i], 1);
    if (allocation == nullptr || isAccessible(context, arguments[i], 1)) continue;
    context.fail(illegalAddress, function->name + ": argument " + std::to_string(i) + " is memory of another context");
    return;
  }
  char error[512];
  const EmulationStatus status = emulationLaunchIn(function->module->state, function->entry, grid, block, sharedBytes,
                                                   arguments.data(), uint32_t(arguments.size()), error, sizeof error);
  if (status != emulationDone) context.fail(statusOf(status), function->name + ": " + error);
}

bool unpackExtra(void** extra, std::vector<uint64_t>& arguments) {
  const void* buffer = nullptr;
  size_t bytes = 0;
  for (; extra != nullptr && *extra != nullptr; extra += 2) {
    const auto key = reinterpret_cast<std::uintptr_t>(*extra);
    if (key == launchBufferPointerKey)
      buffer = extra[1];
    else if (key == launchBufferSizeKey)
      bytes = *static_cast<const size_t*>(extra[1]);
    else
      return false;
  }
  // A kernel with no parameters may come without.
  if (buffer == nullptr) return bytes == 0;
  arguments.resize(bytes / 8);
  memcpy(arguments.data(), buffer, arguments.size() * 8);
  return bytes % 8 == 0;
}

THALWEG_EXPORT Status cuModuleLoadData(Module* module, const void* image) {
  const Lock lock(driverMutex());
  Status status = contextStatus();
  if (status != success) return status;
  if (image == nullptr) return invalidValue;
  auto created = std::make_unique<ModuleHandle>();
  created->context = currentContext();
  status = load(*created, image);
  if (status != success) return status;
  *module = created.release();
  currentContext()->modules.insert(*module);
  addHandle(*module);
  return success;
}

THALWEG_EXPORT Status cuModuleUnload(Module module) {
  const Lock lock(driverMutex());
  if (!isLive(module)) return invalidHandle;
  drain(*module->context);
  destroyModule(module);
  return success;
}

THALWEG_EXPORT Status cuModuleGetFunction(Function* function, Module module, const char* name) {
  const Lock lock(driverMutex());
  const Status status = contextStatus();
  if (status != success) return status;
  if (!isLive(module)) return invalidHandle;
  auto& slot = module->functions[name];
  if (slot == nullptr) {
    void* entry = dlsym(module->library, name);
    if (entry == nullptr) {
      module->functions.erase(name);
      return notFound;
    }
    slot.reset(new FunctionHandle{module, name, entry});
    addHandle(slot.get());
  }
  *function = slot.get();
  return success;
}

// There are no registers to count: what a small kernel has.
THALWEG_EXPORT Status cuFuncGetAttribute(int* value, int attribute, Function function) {
  const Lock lock(driverMutex());
  const Status status = checkFunction(function);
  if (status != success) return status;
  switch (attribute) {
    case functionSharedBytes: *value = 0; return success;
    case functionLocalBytes: *value = 0; return success;
    case functionRegisters: *value = 32; return success;
    case functionMaxDynamicSharedBytes: *value = int(function->dynamicSharedLimit); return success;
    default: return invalidValue;
  }
}

THALWEG_EXPORT Status cuFuncSetAttribute(Function function, int attribute, int value) {
  const Lock lock(driverMutex());
  const Status status = checkFunction(function);
  if (status != success) return status;
  if (attribute != functionMaxDynamicSharedBytes || value < 0 || value > int(emulationSharedLimit)) return invalidValue;
  function->dynamicSharedLimit = std::max(uint32_t(value), uint32_t(48 * 1024));
  return success;
}

THALWEG_EXPORT Status cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Function function, int threads,
                                                                  size_t sharedBytes) {
  const Lock lock(driverMutex());
  const Status status = checkFunction(function);
  if (status != success) return status;
  if (threads <= 0) return invalidValue;
  const int byThreads = threads > 1024 ? 0 : std::min(2048 / ((threads + 31) / 32 * 32), 32);
  const int byShared = sharedBytes > function->dynamicSharedLimit ? 0 : int(228 * 1024 / (sharedBytes + 1024));
  *blocks = std::min(byThreads, byShared);
  return success;
}

THALWEG_EXPORT Status cuLaunchKernel(Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                                     unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream handle,
                                     void** parameters, void** extra) {
  const Lock lock(driverMutex());
  Status status = contextStatus();
  if (status != success) return status;
  StreamHandle* stream = streamOf(handle, *currentContext());
  if (stream == nullptr) return invalidHandle;
  KernelCommand command{function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes, {}};
  // An array of parameters does not say how many there are.
  if (parameters != nullptr || !unpackExtra(extra, command.arguments)) return invalidValue;
  status = command.check(*currentContext());
  if (status != success) return status;
  if (stream->capture != nullptr)
    stream->capture->append(NodeKind::kernel, std::move(command));
  else
    enqueue(*stream, std::move(command));
  return success;
}

}  // namespace thalweg::driver
