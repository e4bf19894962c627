#include "log/internal/snapshots.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "log/internal/format.h"
#include "log/internal/raw_file.h"

namespace footlight::log::internal {
namespace {

constexpr std::string_view kMagic = "FLSNAP01";
constexpr size_t kSummedBytes = 56;
constexpr std::array<std::string_view, 2> kSuffix = {"-snap0", "-snap1"};

}  // namespace

Bytes encode_snapshot_header(uint64_t seq, const Hash256& chain, ByteView state) {
  Bytes out;
  out.reserve(kSnapshotHeaderBytes);
  ByteWriter writer(out);
  writer.bytes(as_bytes(kMagic));
  writer.u64(seq);
  writer.bytes(chain);
  writer.u64(state.size());
  Sha256 sum;
  sum.update(ByteView(out));
  sum.update(state);
  writer.bytes(sum.finish());
  return out;
}

std::optional<SnapshotHeader> decode_snapshot_header(ByteView bytes, uint64_t file_bytes) {
  if (bytes.size() < kSnapshotHeaderBytes || file_bytes < kSnapshotHeaderBytes) return {};
  ByteReader reader(bytes.first(kSnapshotHeaderBytes));
  if (as_text(reader.bytes(kMagic.size())) != kMagic) return {};
  SnapshotHeader out;
  out.seq = reader.u64();
  std::ranges::copy(reader.bytes(out.chain.size()), out.chain.begin());
  out.state_bytes = reader.u64();
  std::ranges::copy(reader.bytes(out.sum.size()), out.sum.begin());
  if (out.state_bytes > kMaxSnapshotBytes) return {};
  if (out.state_bytes > file_bytes - kSnapshotHeaderBytes) return {};
  return out;
}

bool snapshot_sum_holds(ByteView header, ByteView state) {
  if (header.size() < kSnapshotHeaderBytes) return false;
  Sha256 sum;
  sum.update(header.first(kSummedBytes));
  sum.update(state);
  return std::ranges::equal(sum.finish(), header.subspan(kSummedBytes, 32));
}

std::optional<SnapshotFiles::Loaded> SnapshotFiles::load_slot(int slot) const {
  const auto suffix = kSuffix[static_cast<size_t>(slot)];
  if (!RawFile::exists(vfs_, path_, suffix)) return {};
  auto file = RawFile::open(vfs_, path_, suffix, RawFile::Kind::kBeside, RawFile::Mode::kRead);
  if (!file) return {};
  const auto size = file->size();
  if (!size || *size < kSnapshotHeaderBytes) return {};
  std::array<uint8_t, kSnapshotHeaderBytes> raw{};
  if (!file->read(0, raw)) return {};
  const auto header = decode_snapshot_header(raw, *size);
  if (!header) return {};
  Loaded out{header->seq, header->chain, Bytes(header->state_bytes)};
  if (!out.state.empty() && !file->read(kSnapshotHeaderBytes, out.state)) return {};
  if (!snapshot_sum_holds(raw, out.state)) return {};
  return out;
}

std::vector<SnapshotFiles::Loaded> SnapshotFiles::load() const {
  std::vector<Loaded> out;
  for (int slot = 0; slot < 2; ++slot) {
    if (auto loaded = load_slot(slot)) out.push_back(std::move(*loaded));
  }
  if (out.size() == 2 && out[0].seq < out[1].seq) std::swap(out[0], out[1]);
  return out;
}

int SnapshotFiles::slot_to_overwrite() {
  if (next_) return *next_;
  const auto first = load_slot(0);
  const auto second = load_slot(1);
  if (!first) return 0;
  if (!second) return 1;
  return first->seq <= second->seq ? 0 : 1;
}

Status SnapshotFiles::save(uint64_t seq, const Hash256& chain, ByteView state) {
  const int slot = slot_to_overwrite();
  auto file = RawFile::open(vfs_, path_, kSuffix[static_cast<size_t>(slot)], RawFile::Kind::kBeside,
                            RawFile::Mode::kCreate);
  if (!file) return std::unexpected(file.error());
  next_ = slot;  // until this write is whole, the slot is the broken one
  const Bytes header = encode_snapshot_header(seq, chain, state);
  if (auto ok = file->write(0, header); !ok) return ok;
  if (auto ok = file->write(kSnapshotHeaderBytes, state); !ok) return ok;
  if (auto ok = file->truncate(kSnapshotHeaderBytes + state.size()); !ok) return ok;
  if (auto ok = file->sync(); !ok) return ok;
  next_ = 1 - slot;
  return {};
}

}  // namespace footlight::log::internal
