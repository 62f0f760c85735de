// Barriers, shuffles, votes, gathers, atomics and shared memory give what CUDA gives, whatever the order of threads.
#include "check.h"

__global__ void built(int* out, long long width) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * width + thread] = int(block * 1000 + thread);
}

__global__ void reverseBlock(const float* in, float* out) {
  __shared__ float tile[256];
  DYNAMIC_SHARED(dynamic);
  float* second = reinterpret_cast<float*>(dynamic);
  tile[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  second[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = second[threadIdx.x] + second[(threadIdx.x + 1) % blockDim.x];
}

__global__ void shuffles(int* out) {
  const int lane = int(threadIdx.x);
  int* row = out + lane;
  row[0 * 32] = __shfl_sync(0xffffffffu, lane * 10, 5);
  row[1 * 32] = __shfl_sync(0xffffffffu, lane * 10, lane + 1, 8);
  row[2 * 32] = __shfl_up_sync(0xffffffffu, lane, 3);
  row[3 * 32] = __shfl_down_sync(0xffffffffu, lane, 3, 16);
  row[4 * 32] = __shfl_xor_sync(0xffffffffu, lane, 9);
  row[5 * 32] = int(__shfl_xor_sync(0xffffffffu, lane * 0.5, 1) * 2);
  row[6 * 32] = int(__shfl_down_sync(0xffffffffu, 4294967296LL + lane, 1) - 4294967296LL);
  // Two halves by themselves, each with lanes that come in another order.
  const unsigned half = lane < 16 ? 0xffffu : 0xffff0000u;
  int sum = lane;
  for (int step = 8; step > 0; step /= 2) sum += __shfl_xor_sync(half, sum, step);
  row[7 * 32] = sum;
  row[8 * 32] = int(__ballot_sync(half, lane % 3 == 0));
  row[9 * 32] = __any_sync(0xffffffffu, lane == 31) * 2 + __all_sync(0xffffffffu, lane < 31);
  __syncwarp();
  row[10 * 32] = __reduce_add_sync(0xffffffffu, lane);
  const double* first = thalwegGather(lane + 0.25);
  const double* next = thalwegGather(lane + 0.5);
  row[11 * 32] = int((first[(lane + 1) % 32] + next[(lane + 2) % 32]) * 4);
}

__global__ void votes(int* out) {
  const int thread = int(threadIdx.x);
  out[thread * 3] = __syncthreads_count(thread % 2);
  out[thread * 3 + 1] = __syncthreads_or(thread == 70);
  out[thread * 3 + 2] = __syncthreads_and(thread != 70);
}

// The last block adds up what all have left.
__global__ void total(const float* in, float* partial, float* out, unsigned* tickets, long long count) {
  __shared__ float warps[8];
  __shared__ bool last;
  float sum = 0;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (long long)gridDim.x * blockDim.x)
    sum += in[i];
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    float all = 0;
    for (unsigned warp = 0; warp < blockDim.x / 32; warp++) all += warps[warp];
    partial[blockIdx.x] = all;
    __threadfence();
    last = atomicInc(tickets, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float all = 0;
    for (unsigned block = 0; block < gridDim.x; block++) all += partial[block];
    *out = all;
  }
}

__global__ void atomics(int* ints, unsigned long long* longs, float* floats) {
  const int thread = int(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&ints[0], thread);
  atomicMax(&ints[1], thread);
  atomicMin(&ints[2], thread);
  atomicOr(&ints[3], 1 << thread % 8);
  if (atomicCAS(&ints[4], 0, 1) == 0) atomicAdd(&ints[5], 1);
  atomicAdd(longs, 1ull << 33);
  atomicAdd(floats, 0.5f);
}

// A thread that waits for one that runs later.
__global__ void handOver(volatile int* flag) {
  if (threadIdx.x == 0)
    while (*flag == 0) __nanosleep(20);
  if (threadIdx.x == 77) *flag = 1;
  __syncthreads();
}

void tests() {
  static int ints[12 * 6 * 40];
  {
    CHECK(launch(built, dim3(2, 3, 2), dim3(4, 3, 2), 0, ints, 24LL).status == 0);
    for (int block = 0; block < 12; block++)
      for (int thread = 0; thread < 24; thread++) CHECK(ints[block * 24 + thread] == block * 1000 + thread);
  }
  {
    float in[256], out[256];
    for (int i = 0; i < 256; i++) in[i] = float(i);
    CHECK(launch(reverseBlock, dim3(3), dim3(200), 800, (const float*)in, (float*)out).status == 0);
    for (int i = 0; i < 200; i++) CHECK(out[i] == float(199 - i + (i == 199 ? 199 : 198 - i)));
  }
  {
    CHECK(launch(shuffles, dim3(1), dim3(32), 0, ints).status == 0);
    for (int lane = 0; lane < 32; lane++) {
      const auto at = [&](int row) { return ints[row * 32 + lane]; };
      CHECK(at(0) == 50);
      CHECK(at(1) == (lane / 8 * 8 + (lane + 1) % 8) * 10);
      CHECK(at(2) == (lane < 3 ? lane : lane - 3));
      CHECK(at(3) == (lane % 16 >= 13 ? lane : lane + 3));
      CHECK(at(4) == (lane ^ 9));
      CHECK(at(5) == (lane ^ 1));
      CHECK(at(6) == (lane == 31 ? 31 : lane + 1));
      CHECK(at(7) == (lane < 16 ? 120 : 376));
      CHECK(unsigned(at(8)) == (lane < 16 ? 0x9249u : 0x49240000u));
      CHECK(at(9) == 2);
      CHECK(at(10) == 496);
      CHECK(at(11) == ((lane + 1) % 32 + (lane + 2) % 32) * 4 + 3);
    }
  }
  {
    CHECK(launch(votes, dim3(1), dim3(100), 0, ints).status == 0);
    for (int thread = 0; thread < 100; thread++)
      CHECK(ints[thread * 3] == 50 && ints[thread * 3 + 1] == 1 && ints[thread * 3 + 2] == 0);
  }
  {
    static float in[10000];
    float partial[16], out = 0;
    unsigned tickets = 0;
    for (int i = 0; i < 10000; i++) in[i] = float(i % 7);
    for (int turn = 0; turn < 2; turn++) {
      const Outcome outcome =
          launch(total, dim3(16), dim3(256), 0, (const float*)in, (float*)partial, &out, &tickets, 10000LL);
      CHECK(outcome.status == 0 && out == 29994 && tickets == 0);
    }
  }
  {
    int values[6] = {0, 0, 1000, 0, 0, 0};
    unsigned long long longs = 0;
    float floats = 0;
    CHECK(launch(atomics, dim3(4), dim3(64), 0, (int*)values, &longs, &floats).status == 0);
    CHECK(values[0] == 255 * 128 && values[1] == 255 && values[2] == 0 && values[3] == 255 && values[5] == 1);
    CHECK(longs == 256ull << 33 && floats == 128);
  }
  {
    volatile int flag = 0;
    CHECK(launch(handOver, dim3(1), dim3(128), 0, &flag).status == 0 && flag == 1);
  }
}

int main() { return inAllOrders(tests); }
