#include "gaps.h"

#include <algorithm>
#include <cmath>

namespace {

// 0.1 ms to an hour.
constexpr double kSmallestNs = 100'000;
constexpr double kClassesPerDoubling = 8;

}  // namespace

void Gaps::add(int64_t ns) {
  const double position = std::log2(std::max<double>(static_cast<double>(ns), 1) / kSmallestNs) * kClassesPerDoubling;
  counts_[static_cast<size_t>(std::clamp<double>(position, 0, kClasses - 1))]++;
  count_++;
  maxNs_ = std::max(maxNs_, ns);
}

int64_t Gaps::percentileNs(double share) const {
  uint64_t seen = 0;
  for (size_t i = 0; i < kClasses; i++) {
    seen += counts_[i];
    if (seen == 0 || static_cast<double>(seen) < static_cast<double>(count_) * share) continue;
    const double upper = kSmallestNs * std::exp2(static_cast<double>(i + 1) / kClassesPerDoubling);
    return std::min(maxNs_, static_cast<int64_t>(upper));
  }
  return maxNs_;
}
