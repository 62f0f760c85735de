// Turns what the processor refuses while device code runs into a call, instead of the end of the process.
#pragma once

#include <signal.h>

#include <cstddef>
#include <memory>
#include <mutex>

namespace emulation {

// While it lives, a fault on this thread calls `handler`, on a stack of its own and with the signal unblocked again; it must
// leave by changing fibers. Faults on other threads go where they went before, so that the handlers of the JavaScript engine
// (which catches those of WebAssembly) stay in charge.
class FaultGuard {
 public:
  using Handler = void (*)(int signal, const void* address);

  explicit FaultGuard(Handler handler) {
    Stack& stack = ownStack();
    stack_t mine = {};
    mine.ss_sp = stack.memory.get();
    mine.ss_size = Stack::bytes;
    sigaltstack(&mine, &stack.before);
    stack.handler = handler;
    const std::lock_guard<std::mutex> lock(mutex);
    if (guards++ != 0) return;
    struct sigaction action = {};
    action.sa_sigaction = caught;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < signalCount; i++) sigaction(signals[i], &action, &before[i]);
  }

  ~FaultGuard() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      if (--guards == 0)
        for (size_t i = 0; i < signalCount; i++) sigaction(signals[i], &before[i], nullptr);
    }
    Stack& stack = ownStack();
    stack.handler = nullptr;
    sigaltstack(&stack.before, nullptr);
  }

  FaultGuard(const FaultGuard&) = delete;
  FaultGuard& operator=(const FaultGuard&) = delete;

 private:
  struct Stack {
    static constexpr size_t bytes = 64 * 1024;
    std::unique_ptr<char[]> memory{new char[bytes]};
    stack_t before = {};
    Handler handler = nullptr;
  };
  static Stack& ownStack() {
    static thread_local Stack stack;
    return stack;
  }

  static void caught(int signal, siginfo_t* information, void* context) {
    const Handler handler = ownStack().handler;
    if (handler != nullptr && information->si_code > 0) {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, signal);
      pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
      handler(signal, information->si_addr);
    }
    for (size_t i = 0; i < signalCount; i++) {
      if (signals[i] != signal) continue;
      const struct sigaction& other = before[i];
      if ((other.sa_flags & SA_SIGINFO) != 0) {
        other.sa_sigaction(signal, information, context);
      } else if (other.sa_handler != SIG_DFL && other.sa_handler != SIG_IGN) {
        other.sa_handler(signal);
      } else {
        // The default: the instruction is tried again and now ends the process.
        sigaction(signal, &other, nullptr);
      }
    }
  }

  static constexpr size_t signalCount = 4;
  static constexpr int signals[signalCount] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  static inline struct sigaction before[signalCount];
  static inline std::mutex mutex;
  static inline int guards = 0;
};

}  // namespace emulation
