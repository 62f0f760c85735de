// What every kernel of Thalweg is compiled with. No header of the toolkit: NVRTC may have been installed without them.
#pragma once

// `unsigned char name[]`: the block's dynamic shared memory, aligned to 128 bytes.
#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]
#endif

#include "status.cuh"
#include "index.cuh"
#include "storage.cuh"
#include "math.cuh"
#include "philox.cuh"
