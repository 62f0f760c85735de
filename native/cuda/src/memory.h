/** Memory of the device, and page-locked memory of the host. */
#pragma once

#include <functional>

#include "context.h"

namespace thalweg {

class Memory final : public Resource {
 public:
  Memory(std::shared_ptr<Context> context, std::size_t bytes);
  ~Memory() override { release(); }

  driver::Address address() const { return address_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void destroy() noexcept override;

  driver::Address address_ = 0;
  std::size_t bytes_;
};

/** Host and device share one address space, so its address is the same on both sides. */
class PinnedMemory final : public Resource {
 public:
  PinnedMemory(std::shared_ptr<Context> context, std::size_t bytes);
  ~PinnedMemory() override { release(); }

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

  /** Called before the memory goes: views of it must not outlive it. */
  void beforeRelease(std::function<void()> action) { beforeRelease_ = std::move(action); }

 private:
  void destroy() noexcept override;

  void* data_ = nullptr;
  std::size_t bytes_;
  std::function<void()> beforeRelease_;
};

}  // namespace thalweg
