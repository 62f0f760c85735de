// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#pragma once

struct PhiloxBlock {
  unsigned v[4];
};

// Words 4 · `block` … 4 · `block` + 3 of the stream.
__device__ inline PhiloxBlock philoxBlock(unsigned block, unsigned key0, unsigned key1, unsigned stream0, unsigned stream1) {
  unsigned c0 = block, c1 = 0u, c2 = stream0, c3 = stream1;
#pragma unroll
  for (int round = 0; round < 10; round++) {
    unsigned long long product0 = 0xd2511f53ull * c0;
    unsigned long long product1 = 0xcd9e8d57ull * c2;
    c0 = (unsigned)(product1 >> 32) ^ c1 ^ key0;
    c1 = (unsigned)product1;
    c2 = (unsigned)(product0 >> 32) ^ c3 ^ key1;
    c3 = (unsigned)product0;
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return PhiloxBlock{{c0, c1, c2, c3}};
}

__device__ inline unsigned philoxWord(int index, unsigned key0, unsigned key1, unsigned stream0, unsigned stream1) {
  const PhiloxBlock block = philoxBlock((unsigned)index >> 2, key0, key1, stream0, stream1);
  // Not block.v[index & 3]: an index that is not constant would put the block into memory.
  const unsigned even = (index & 2) ? block.v[2] : block.v[0];
  const unsigned odd = (index & 2) ? block.v[3] : block.v[1];
  return (index & 1) ? odd : even;
}
