// How long the times between samples were, in a few hundred bytes however many there are: counted in classes that each are
// 9 % wider than the one before, which is as far as a percentile can be wrong.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

class Gaps {
 public:
  void add(int64_t ns);
  uint64_t count() const { return count_; }
  // The upper end of the class that holds the percentile; 0 when there is none.
  int64_t percentileNs(double share) const;
  int64_t maxNs() const { return maxNs_; }

 private:
  static constexpr std::size_t kClasses = 200;
  std::array<uint32_t, kClasses> counts_{};
  uint64_t count_ = 0;
  int64_t maxNs_ = 0;
};
