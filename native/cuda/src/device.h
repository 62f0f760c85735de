/** What the driver says of a device. */
#pragma once

#include <string>

#include "libraries.h"

namespace thalweg {

struct DeviceInfo {
  int ordinal;
  std::string name;
  /** Compute capability as one number: 90. */
  int architecture;
  int multiprocessors;
  std::size_t memoryBytes;
  int l2Bytes;
  int sharedBytesPerBlock;
  int sharedBytesPerMultiprocessor;
  int clockKiloHertz;
  int memoryClockKiloHertz;
  int memoryBusBits;
  /** As nvidia-smi writes it. */
  std::string uuid;
};

int deviceCount(const Libraries& libraries);
DeviceInfo deviceInfo(const Libraries& libraries, int ordinal);

}  // namespace thalweg
