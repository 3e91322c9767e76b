#include "storage/query/bucket.h"

#include <algorithm>
#include <cassert>

namespace waterflow::storage {

BucketTable::BucketTable(Interval span, uint32_t max_points, bool keep_values)
    : keep_values_(keep_values) {
  assert(span.first <= span.last && max_points >= 1);
  const auto buckets_less_one = [&] {
    return static_cast<uint64_t>(span.last >> shift_) -
           static_cast<uint64_t>(span.first >> shift_);
  };
  while (shift_ < 63 && buckets_less_one() >= max_points) ++shift_;
  all_ = buckets_less_one() >= max_points;
  first_cell_ = span.first >> shift_;
  places_.resize(all_ ? 1 : buckets_less_one() + 1);
}

BucketAccumulator& BucketTable::At(size_t cell) {
  ++additions_;
  uint32_t& place = places_[cell];
  if (place == 0) {
    accumulators_.emplace_back(keep_values_);
    cells_.push_back(cell);
    place = static_cast<uint32_t>(accumulators_.size());
  }
  return accumulators_[place - 1];
}

void BucketTable::Add(const SeriesView& series) {
  const absl::Span<const int64_t> positions = series.positions;
  for (size_t begin = 0; begin < positions.size();) {
    // The last position of the bucket: all its low bits are set.
    const auto low_bits = static_cast<int64_t>((uint64_t{1} << shift_) - 1);
    const int64_t last = all_ ? INT64_MAX : positions[begin] | low_bits;
    // Strides that double, then a search within the last of them: buckets hold
    // some points or thousands.
    size_t from = begin + 1;
    size_t to = from;
    for (size_t stride = 1; to < positions.size() && positions[to] <= last;
         stride *= 2) {
      from = to + 1;
      to = std::min(positions.size(), from + stride);
    }
    const size_t end = std::upper_bound(positions.begin() + from,
                                        positions.begin() + to, last) -
                       positions.begin();
    At(CellOf(positions[begin]))
        .AddStretch(positions.subspan(begin, end - begin),
                    series.values.subspan(begin, end - begin), series.worker);
    begin = end;
  }
}

void BucketTable::AddPiece(const Piece& piece) {
  At(CellOf(piece.first_position)).AddPiece(piece);
}

std::vector<size_t> BucketTable::Order() const {
  std::vector<size_t> order(cells_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (std::is_sorted(cells_.begin(), cells_.end())) return order;
  std::sort(order.begin(), order.end(),
            [this](size_t a, size_t b) { return cells_[a] < cells_[b]; });
  return order;
}

std::vector<Bucket> BucketTable::Finish(Reduction reduction) const {
  std::vector<Bucket> buckets;
  buckets.reserve(cells_.size());
  for (const size_t i : Order()) {
    buckets.push_back(accumulators_[i].Finish(reduction));
  }
  return buckets;
}

std::vector<double> BucketTable::Quantiles(absl::Span<const double> quantiles,
                                           bool* exact) const {
  std::vector<double> all;
  *exact = true;
  for (const size_t i : Order()) {
    *exact = accumulators_[i].AppendQuantiles(quantiles, &all) && *exact;
  }
  return all;
}

size_t BucketTable::value_bytes() const {
  size_t bytes = 0;
  for (const BucketAccumulator& a : accumulators_) bytes += a.value_bytes();
  return bytes;
}

void BucketTable::Clear() {
  for (const size_t cell : cells_) places_[cell] = 0;
  cells_.clear();
  accumulators_.clear();
}

}  // namespace waterflow::storage
