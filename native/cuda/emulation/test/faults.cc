// What no GPU would do reliably is an error that says where and why, and the next launch works.
#include "check.h"

#include <sys/mman.h>

__global__ void earlyReturn(int* out) {
  if (threadIdx.x == 3) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void partOfWarp(int* out) {
  int value = int(threadIdx.x);
  if (threadIdx.x < 8) value = __shfl_xor_sync(0xffffffffu, value, 1);
  out[threadIdx.x] = value;
}

__global__ void wrongMask(int* out) { out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 0); }

__global__ void differentBarriers(int* out) {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    out[threadIdx.x] = __syncthreads_count(1);
}

__global__ void access(int* out) { *out = 1; }

__global__ void divide(int* out) { *out = 10 / (*out - 1); }

__global__ void endless(int* out) {
  volatile char room[300000];
  room[0] = char(*out);
  *out = room[0];
}

__global__ void check(int* out) { assert(out[threadIdx.x] == 0); }

__global__ void beyondShared(long long index) {
  DYNAMIC_SHARED(dynamic);
  dynamic[index] = 1;
}

__global__ void unwritten(int* out) {
  DYNAMIC_SHARED(dynamic);
  const float value = reinterpret_cast<float*>(dynamic)[threadIdx.x];
  out[threadIdx.x] = value != value;
  reinterpret_cast<float*>(dynamic)[threadIdx.x] = 1;
}

__global__ void fine(int* out) {
  __syncthreads();
  out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, int(threadIdx.x), 1);
}

void tests() {
  static int out[1024];
  const auto works = [&] {
    CHECK(launch(fine, dim3(2), dim3(128), 0, out).status == emulationDone);
    for (int i = 0; i < 128; i++) CHECK(out[i] == (i ^ 1));
  };
  const auto fails = [&](const Outcome& outcome, int status, const char* words) {
    CHECK(outcome.status == status);
    CHECK(outcome.says(words));
    if (outcome.status != status || !outcome.says(words)) printf("  it said: %s\n", outcome.error.c_str());
    works();
  };
  fails(launch(earlyReturn, dim3(2), dim3(64), 0, out), emulationFailed,
        "63 wait at a barrier, 1 have returned (first: thread (3, 0, 0))");
  fails(launch(partOfWarp, dim3(1), dim3(32), 0, out), emulationFailed, "in a shuffle with mask 0xffffffff");
  fails(launch(wrongMask, dim3(1), dim3(32), 0, out), emulationFailed, "whose mask 0x0000ffff leaves it out");
  fails(launch(differentBarriers, dim3(1), dim3(64), 0, out), emulationFailed, "while others wait at __syncthreads");
  fails(launch(access, dim3(1), dim3(1), 0, (int*)nullptr), emulationIllegalAddress, "an access to");
  void* page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fails(launch(access, dim3(1), dim3(1), 0, (int*)page), emulationIllegalAddress, "block (0, 0, 0), thread (0, 0, 0)");
  out[0] = 1;
  fails(launch(divide, dim3(1), dim3(1), 0, out), emulationFailed, "division by zero");
  fails(launch(endless, dim3(1), dim3(1), 0, out), emulationIllegalAddress, "overflows");
  memset(out, 0, sizeof out);
  out[7] = 1;
  fails(launch(check, dim3(1), dim3(32), 0, out), emulationFailed, "thread (7, 0, 0): assertion failed: out[threadIdx.x] == 0");
  fails(launch(beyondShared, dim3(1), dim3(1), 256, 256LL), emulationIllegalAddress, "an access to");
  fails(launch(fine, dim3(1), dim3(1025), 0, out), emulationInvalid, "1024 threads");
  fails(launch(fine, dim3(0), dim3(32), 0, out), emulationInvalid, "a grid has");
  fails(launch(fine, dim3(1), dim3(32), 300000, out), emulationInvalid, "shared memory");
  CHECK(launch(unwritten, dim3(3), dim3(64), 256, out).status == emulationDone);
  for (int i = 0; i < 64; i++) CHECK(out[i] == 1);
}

int main() { return inAllOrders(tests); }
