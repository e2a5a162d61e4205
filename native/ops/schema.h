// The registry as data: what lib/schema.gen.ts is written from.
#pragma once
#include <string>

namespace voxelspark {

// JSON: [{name, inputs, outputs, attributes: {name: {type, default}}}] in the order of kernel numbers.
std::string schema_json();

}  // namespace voxelspark
