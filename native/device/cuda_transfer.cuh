// Copies between the host and the device, and memory filled on the device; for any thread, in the order of the kernels
// that it launches.
#pragma once
#include <cstdint>

namespace voxelspark {

// `host` may be changed when these return. The copy to the device need not have been made then, but kernels launched
// later see it; it does not wait for kernels launched before, though these still see what was there.
void copy_to_device(void* device, const void* host, int64_t bytes);
void copy_to_host(void* host, const void* device, int64_t bytes);

// A copy to the host of at most kSmallCopy bytes that does not wait. `finish_read` does, on any thread, and ends it.
void* begin_read(const void* device, int64_t bytes);
void finish_read(void* read, void* host);

// An element of 1 to 8 bytes, a power of two.
void fill_device(void* device, const void* element, int64_t element_bytes, int64_t elements);

}  // namespace voxelspark
