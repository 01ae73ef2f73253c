#include "rate.h"

#include <algorithm>

void Rate::add(int64_t atNs) {
  const int64_t part = atNs / partNs_;
  for (int64_t stale = std::max(newest_ + 1, part - kParts + 1); stale <= part; stale++) counts_[stale % kParts] = 0;
  newest_ = std::max(newest_, part);
  if (part > newest_ - kParts) counts_[part % kParts]++;
}

double Rate::hz(int64_t nowNs, int64_t sinceNs) const {
  const int64_t oldest = nowNs / partNs_ - kParts + 1;
  uint64_t samples = 0;
  for (int64_t i = std::max(oldest, newest_ - kParts + 1); i <= newest_; i++) samples += counts_[i % kParts];
  // The newest part is not over yet.
  const int64_t spannedNs = std::min(nowNs - oldest * partNs_, std::max(nowNs - sinceNs, partNs_));
  return static_cast<double>(samples) * 1e9 / static_cast<double>(spannedNs);
}

void Rate::clear() {
  counts_.fill(0);
  newest_ = 0;
}
