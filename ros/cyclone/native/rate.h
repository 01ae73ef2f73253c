// How many samples a second came within a window that ends now, counted in parts of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

class Rate {
 public:
  explicit Rate(int64_t windowNs) : partNs_(windowNs / kParts) {}

  void add(int64_t atNs);
  // `sinceNs`: nothing was counted before.
  double hz(int64_t nowNs, int64_t sinceNs) const;
  void clear();

 private:
  static constexpr int64_t kParts = 20;
  const int64_t partNs_;
  // `newest_` numbers parts since the clock's beginning.
  std::array<uint32_t, kParts> counts_{};
  int64_t newest_ = 0;
};
