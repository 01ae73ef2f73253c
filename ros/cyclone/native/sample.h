// Samples and types that are opaque: CDR bytes as they are on the wire, for any type name. What a sample's origin is
// (writer, sequence number, related sample) is read from the RTPS message itself, when it arrives.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "dds/dds.h"
#include "dds/ddsi/ddsi_serdata.h"
#include "dds/ddsi/ddsi_sertype.h"

using Guid = std::array<uint8_t, 16>;

struct GuidHash {
  size_t operator()(const Guid& guid) const {
    uint64_t halves[2];
    memcpy(halves, guid.data(), sizeof halves);
    return static_cast<size_t>(halves[0] * 0x9e3779b97f4a7c15ULL ^ halves[1]);
  }
};

std::string hexOf(const uint8_t* bytes, size_t count);
// False when the text is not 32 hex digits.
bool guidOfHex(const std::string& hex, Guid& guid);

// DDS-RPC: which request a reply answers, or at which reader a client expects the reply.
struct SampleIdentity {
  Guid writer{};
  int64_t sequence = 0;
};

struct Sample {
  ddsi_serdata base;
  Guid writer;
  int64_t sequence;
  // CLOCK_MONOTONIC.
  int64_t receivedNs;
  bool hasRelated;
  SampleIdentity related;
  uint32_t size;
  // Up to the next multiple of four: that much may be read for the wire.
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1); }
  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this + 1); }
};

int64_t monotonicNs();

// A sertype with one reference, for dds_create_topic_sertype to take.
ddsi_sertype* newOpaqueType(const char* typeName, bool isKeyed);

// A sample to write, with one reference; the bytes include the encapsulation header.
Sample* newSample(const ddsi_sertype* type, const uint8_t* bytes, uint32_t size);

// Puts `related` of written samples on the wire. False when the library cannot.
bool enableRelatedSampleIdentity();
