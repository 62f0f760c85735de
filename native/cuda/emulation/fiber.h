// Stacks to run on, and the switch from one to another. All inline: launch.cc is the one file a program has to link.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

namespace emulation {

// A flow of control: a stack, and where on it the flow stopped (its stack pointer, with what it must keep pushed there, or a
// ucontext).
class Fiber {
 public:
  // A stack of its own, below which lie pages that must not be touched. `index` tells it from other fibers. False where there
  // is no memory.
  bool allocate(size_t index);
  void release();
  // The next switch to it begins `entry`, which must never return.
  void begin(void (*entry)());
  // Whether this address lies in the pages below the stack.
  bool overflows(const void* address) const {
    const char* at = static_cast<const char*>(address);
    return memory != nullptr && at >= memory && at < memory + guardBytes;
  }
  // Stops here, into `from`, and continues where `to` stopped.
  static void change(Fiber& from, Fiber& to);

 private:
  static constexpr size_t stackBytes = 256 * 1024;
  // More than a page, since a large frame may begin far below.
  static constexpr size_t guardBytes = 256 * 1024;
  uintptr_t top() const {
    return (reinterpret_cast<uintptr_t>(memory) + guardBytes + stackBytes - offset) & ~uintptr_t(63);
  }

  void* stopped = nullptr;
  char* memory = nullptr;
  size_t offset = 0;
};

inline bool Fiber::allocate(size_t index) {
  const size_t bytes = stackBytes + guardBytes;
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (mapped == MAP_FAILED) return false;
  if (mprotect(mapped, guardBytes, PROT_NONE) != 0) {
    munmap(mapped, bytes);
    return false;
  }
  memory = static_cast<char*>(mapped);
  // Tops at different places in their pages, or the hot ends of a block's stacks would share a few sets of the cache.
  offset = index * 320 % 4096;
  return true;
}

inline void Fiber::release() {
  if (memory != nullptr) munmap(memory, stackBytes + guardBytes);
  memory = nullptr;
}

#if defined(__x86_64__)

// Only what a called function must preserve is kept. The address to continue at is jumped to and not returned to, since the
// processor's stack of return addresses knows nothing of the switch.
extern "C" void thalwegSwitchFiber(void** from, void* to);
asm(R"(
.text
.p2align 4
.weak thalwegSwitchFiber
.hidden thalwegSwitchFiber
.type thalwegSwitchFiber, @function
thalwegSwitchFiber:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size thalwegSwitchFiber, .-thalwegSwitchFiber
)");

inline void Fiber::begin(void (*entry)()) {
  // Six registers, the entry, and where a function expects the address to return to (8 below a multiple of 16): none.
  void** words = reinterpret_cast<void**>(top() - 64);
  for (int i = 0; i < 6; i++) words[i] = nullptr;
  words[6] = reinterpret_cast<void*>(entry);
  words[7] = nullptr;
  stopped = words;
}

inline void Fiber::change(Fiber& from, Fiber& to) { thalwegSwitchFiber(&from.stopped, to.stopped); }

#elif defined(__aarch64__)

extern "C" void thalwegSwitchFiber(void** from, void* to);
asm(R"(
.text
.p2align 4
.weak thalwegSwitchFiber
.hidden thalwegSwitchFiber
.type thalwegSwitchFiber, %function
thalwegSwitchFiber:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  br x30
.size thalwegSwitchFiber, .-thalwegSwitchFiber
)");

inline void Fiber::begin(void (*entry)()) {
  void** words = reinterpret_cast<void**>(top() - 160);
  for (int i = 0; i < 20; i++) words[i] = nullptr;
  words[11] = reinterpret_cast<void*>(entry);
  stopped = words;
}

inline void Fiber::change(Fiber& from, Fiber& to) { thalwegSwitchFiber(&from.stopped, to.stopped); }

#else

// The context of a fiber lies at the end of its stack; that of the thread that launches, which has no stack here, on its own.
inline void Fiber::begin(void (*entry)()) {
  auto* context = reinterpret_cast<ucontext_t*>((top() - sizeof(ucontext_t)) & ~uintptr_t(63));
  getcontext(context);
  context->uc_stack.ss_sp = memory + guardBytes;
  context->uc_stack.ss_size = size_t(reinterpret_cast<char*>(context) - (memory + guardBytes));
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
  stopped = context;
}

inline void Fiber::change(Fiber& from, Fiber& to) {
  ucontext_t here;
  from.stopped = &here;
  swapcontext(&here, static_cast<ucontext_t*>(to.stopped));
}

#endif

}  // namespace emulation
