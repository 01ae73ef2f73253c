#include "sample.h"

#include <cstdlib>
#include <ctime>
#include <new>

#include "dds/ddsi/q_radmin.h"

namespace {

constexpr uint16_t kPidSentinel = 0x0001;
constexpr uint16_t kPidRelatedSampleIdentity = 0x0083;
// What Fast DDS used before it knew the number above; its releases send or read either.
constexpr uint16_t kPidRelatedSampleIdentityLegacy = 0x800f;
constexpr size_t kIdentitySize = 24;
constexpr uint8_t kFlagLittleEndian = 0x01;
constexpr uint8_t kFlagInlineQos = 0x02;

Sample* asSample(ddsi_serdata* data) { return reinterpret_cast<Sample*>(data); }
const Sample* asSample(const ddsi_serdata* data) { return reinterpret_cast<const Sample*>(data); }

Sample* allocate(const ddsi_sertype* type, ddsi_serdata_kind kind, size_t size) {
  const size_t padded = (size + 3) & ~size_t{3};
  void* memory = calloc(1, sizeof(Sample) + padded);
  if (memory == nullptr) return nullptr;
  Sample* sample = new (memory) Sample{};
  ddsi_serdata_init(&sample->base, type, kind);
  // Without a key all samples of a type are of one instance.
  sample->base.hash = type->serdata_basehash;
  sample->size = static_cast<uint32_t>(size);
  return sample;
}

uint16_t read16(const uint8_t* at, bool isLittle) {
  return static_cast<uint16_t>(isLittle ? at[0] | at[1] << 8 : at[0] << 8 | at[1]);
}

uint32_t read32(const uint8_t* at, bool isLittle) {
  const uint32_t first = read16(at, isLittle), second = read16(at + 2, isLittle);
  return isLittle ? first | second << 16 : first << 16 | second;
}

void readInlineQos(Sample& sample, const uint8_t* at, const uint8_t* end, bool isLittle) {
  while (end - at >= 4) {
    const uint16_t id = read16(at, isLittle);
    const uint16_t length = read16(at + 2, isLittle);
    at += 4;
    if (id == kPidSentinel || length > end - at) return;
    if ((id == kPidRelatedSampleIdentity || id == kPidRelatedSampleIdentityLegacy) && length >= kIdentitySize) {
      memcpy(sample.related.writer.data(), at, 16);
      sample.related.sequence = static_cast<int64_t>(
          uint64_t{read32(at + 16, isLittle)} << 32 | read32(at + 20, isLittle));
      sample.hasRelated = true;
    }
    at += length;
  }
}

// As the wire has it, of a word in the machine's byte order.
void writeBigEndian(uint8_t* to, const uint8_t* word) {
  uint32_t value;
  memcpy(&value, word, 4);
  for (int i = 0; i < 4; i++) to[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

// The library has checked the message: header and submessage are whole. It has also turned the prefix, as three words,
// and the fixed fields of the submessage into the machine's byte order, in place; the inline QoS are left as they came.
void readOrigin(Sample& sample, const nn_rdata* fragment) {
  const uint8_t* packet = NN_RMSG_PAYLOAD(fragment->rmsg);
  const uint8_t* submessage = packet + NN_RDATA_SUBMSG_OFF(fragment);
  const uint8_t* payload = packet + NN_RDATA_PAYLOAD_OFF(fragment);
  constexpr size_t kPrefixAt = 8, kOctetsToInlineQosAt = 6, kWriterIdAt = 12, kSequenceAt = 16;
  for (size_t i = 0; i < 12; i += 4) writeBigEndian(&sample.writer[i], packet + kPrefixAt + i);
  writeBigEndian(&sample.writer[12], submessage + kWriterIdAt);
  uint32_t low;
  int32_t high;
  memcpy(&high, submessage + kSequenceAt, 4);
  memcpy(&low, submessage + kSequenceAt + 4, 4);
  sample.sequence = static_cast<int64_t>(static_cast<uint64_t>(high) << 32 | low);
  if ((submessage[1] & kFlagInlineQos) == 0) return;
  uint16_t toInlineQos;
  memcpy(&toInlineQos, submessage + kOctetsToInlineQosAt, 2);
  const uint8_t* qos = submessage + kOctetsToInlineQosAt + 2 + toInlineQos;
  if (qos < payload) readInlineQos(sample, qos, payload, (submessage[1] & kFlagLittleEndian) != 0);
}

// --- ddsi_serdata_ops

bool eqkey(const ddsi_serdata*, const ddsi_serdata*) { return true; }

uint32_t getSize(const ddsi_serdata* data) { return asSample(data)->size; }

ddsi_serdata* fromSer(const ddsi_sertype* type, ddsi_serdata_kind kind, const nn_rdata* fragments, size_t size) {
  Sample* sample = allocate(type, kind, size);
  if (sample == nullptr) return nullptr;
  sample->receivedNs = monotonicNs();
  readOrigin(*sample, fragments);
  // Fragments may overlap.
  size_t offset = 0;
  for (const nn_rdata* fragment = fragments; fragment != nullptr; fragment = fragment->nextfrag) {
    if (fragment->maxp1 <= offset) continue;
    const uint8_t* payload = NN_RMSG_PAYLOADOFF(fragment->rmsg, NN_RDATA_PAYLOAD_OFF(fragment));
    if (fragment->min > offset || fragment->maxp1 > size) break;
    memcpy(sample->bytes() + offset, payload + offset - fragment->min, fragment->maxp1 - offset);
    offset = fragment->maxp1;
  }
  return &sample->base;
}

// From another type of the same process: there is none, as all types are of this kind.
ddsi_serdata* fromSerIov(const ddsi_sertype* type, ddsi_serdata_kind kind, ddsrt_msg_iovlen_t count,
                         const ddsrt_iovec_t* parts, size_t size) {
  Sample* sample = allocate(type, kind, size);
  if (sample == nullptr) return nullptr;
  sample->receivedNs = monotonicNs();
  size_t offset = 0;
  for (ddsrt_msg_iovlen_t i = 0; i < count && offset < size; i++) {
    const size_t length = parts[i].iov_len < size - offset ? parts[i].iov_len : size - offset;
    memcpy(sample->bytes() + offset, parts[i].iov_base, length);
    offset += length;
  }
  return &sample->base;
}

ddsi_serdata* fromKeyhash(const ddsi_sertype* type, const ddsi_keyhash_t*) {
  Sample* sample = allocate(type, SDK_KEY, 0);
  return sample == nullptr ? nullptr : &sample->base;
}

ddsi_serdata* fromSample(const ddsi_sertype*, ddsi_serdata_kind, const void*) { return nullptr; }

void toSer(const ddsi_serdata* data, size_t offset, size_t size, void* buffer) {
  memcpy(buffer, asSample(data)->bytes() + offset, size);
}

ddsi_serdata* toSerRef(const ddsi_serdata* data, size_t offset, size_t size, ddsrt_iovec_t* ref) {
  ref->iov_base = const_cast<uint8_t*>(asSample(data)->bytes()) + offset;
  ref->iov_len = static_cast<ddsrt_iov_len_t>(size);
  return ddsi_serdata_ref(data);
}

void toSerUnref(ddsi_serdata* data, const ddsrt_iovec_t*) { ddsi_serdata_unref(data); }

bool toSample(const ddsi_serdata*, void*, void**, void*) { return false; }

ddsi_serdata* toUntyped(const ddsi_serdata* data) {
  Sample* sample = allocate(data->type, SDK_KEY, 0);
  if (sample == nullptr) return nullptr;
  sample->base.type = nullptr;
  return &sample->base;
}

bool untypedToSample(const ddsi_sertype*, const ddsi_serdata*, void*, void**, void*) { return true; }

void freeSample(ddsi_serdata* data) { free(asSample(data)); }

size_t print(const ddsi_sertype*, const ddsi_serdata* data, char* buffer, size_t size) {
  return static_cast<size_t>(snprintf(buffer, size, "(%u bytes)", asSample(data)->size));
}

void getKeyhash(const ddsi_serdata*, ddsi_keyhash_t* hash, bool) { memset(hash, 0, sizeof *hash); }

const ddsi_serdata_ops kSampleOps = [] {
  ddsi_serdata_ops ops{};
  ops.eqkey = eqkey;
  ops.get_size = getSize;
  ops.from_ser = fromSer;
  ops.from_ser_iov = fromSerIov;
  ops.from_keyhash = fromKeyhash;
  ops.from_sample = fromSample;
  ops.to_ser = toSer;
  ops.to_ser_ref = toSerRef;
  ops.to_ser_unref = toSerUnref;
  ops.to_sample = toSample;
  ops.to_untyped = toUntyped;
  ops.untyped_to_sample = untypedToSample;
  ops.free = freeSample;
  ops.print = print;
  ops.get_keyhash = getKeyhash;
  return ops;
}();

// --- ddsi_sertype_ops

void freeType(ddsi_sertype* type) {
  ddsi_sertype_fini(type);
  delete type;
}

// Samples are only taken as serdata; these are never called for one.
void zeroSamples(const ddsi_sertype*, void*, size_t) {}
void reallocSamples(void**, const ddsi_sertype*, void*, size_t, size_t) {}
void freeSamples(const ddsi_sertype*, void**, size_t, dds_free_op_t) {}
bool equalTypes(const ddsi_sertype*, const ddsi_sertype*) { return true; }
uint32_t hashType(const ddsi_sertype*) { return 0; }

const ddsi_sertype_ops kTypeOps = [] {
  ddsi_sertype_ops ops{};
  ops.version = ddsi_sertype_v0;
  ops.free = freeType;
  ops.zero_samples = zeroSamples;
  ops.realloc_samples = reallocSamples;
  ops.free_samples = freeSamples;
  ops.equal = equalTypes;
  ops.hash = hashType;
  return ops;
}();

}  // namespace

std::string hexOf(const uint8_t* bytes, size_t count) {
  static const char digits[] = "0123456789abcdef";
  std::string text(count * 2, '0');
  for (size_t i = 0; i < count; i++) {
    text[2 * i] = digits[bytes[i] >> 4];
    text[2 * i + 1] = digits[bytes[i] & 15];
  }
  return text;
}

bool guidOfHex(const std::string& hex, Guid& guid) {
  if (hex.size() != 32) return false;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (size_t i = 0; i < 16; i++) {
    const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    guid[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

int64_t monotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

ddsi_sertype* newOpaqueType(const char* typeName, bool isKeyed) {
  auto* type = new ddsi_sertype{};
  ddsi_sertype_init(type, typeName, &kTypeOps, &kSampleOps, !isKeyed);
  return type;
}

Sample* newSample(const ddsi_sertype* type, const uint8_t* bytes, uint32_t size) {
  Sample* sample = allocate(type, SDK_DATA, size);
  if (sample == nullptr) return nullptr;
  memcpy(sample->bytes(), bytes, size);
  // For readers of the same process, which get this very sample.
  sample->receivedNs = monotonicNs();
  return sample;
}

#ifdef ROSLET_RELATED_SAMPLE_IDENTITY
extern "C" int (*ddsi_related_sample_identity)(const ddsi_serdata* sample, unsigned char identity[24]);

static int relatedSampleIdentity(const ddsi_serdata* data, unsigned char identity[24]) {
  if (data->ops != &kSampleOps || !asSample(data)->hasRelated) return 0;
  const SampleIdentity& related = asSample(data)->related;
  const auto high = static_cast<int32_t>(related.sequence >> 32);
  const auto low = static_cast<uint32_t>(related.sequence);
  memcpy(identity, related.writer.data(), 16);
  memcpy(identity + 16, &high, 4);
  memcpy(identity + 20, &low, 4);
  return 1;
}

bool enableRelatedSampleIdentity() {
  ddsi_related_sample_identity = relatedSampleIdentity;
  return true;
}
#else
bool enableRelatedSampleIdentity() { return false; }
#endif
