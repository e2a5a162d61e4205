#include "ops/registry.h"

#include <algorithm>
#include <sstream>

namespace voxelspark {

#define KERNEL(name, inputs, outputs)                \
  std::unique_ptr<Descriptor> make_##name();         \
  void name##_cpu(const Descriptor&, const Launch&); \
  void name##_reference(const Descriptor&, const Launch&);
#include "ops/ops.def"
#undef KERNEL

const KernelEntry kernel_table[kKernels] = {
#define KERNEL(name, inputs, outputs) {#name, inputs, outputs, make_##name, name##_cpu, name##_reference},
#include "ops/ops.def"
#undef KERNEL
};

namespace {

// A word of a signature, such as "bias?" or "x~".
struct Parameter {
  std::string name;
  bool optional, many, feature_map;

  explicit Parameter(const std::string& word)
      : name(word.substr(0, word.find_first_of("~!?*"))),
        optional(has(word, '?')),
        many(has(word, '*')),
        feature_map(has(word, '~')) {}
  static bool has(const std::string& word, char mark) { return word.find(mark) != std::string::npos; }
};

std::vector<Parameter> parameters_of(const KernelEntry& entry) {
  std::istringstream words(entry.inputs);
  std::vector<Parameter> parameters;
  for (std::string word; words >> word;) parameters.emplace_back(word);
  return parameters;
}

void check_presence(const std::string& op, const std::vector<Parameter>& parameters, const Inputs& inputs) {
  for (size_t i = 0; i < parameters.size(); i++) {
    if (parameters[i].many) return;
    require(parameters[i].optional || present(inputs, i), "TYPE",
            op + ": input '" + parameters[i].name + "' is missing");
  }
  require(inputs.size() <= parameters.size(), "TYPE",
          op + " takes " + std::to_string(parameters.size()) + " inputs, got " + std::to_string(inputs.size()));
}

// Feature maps have one type, which may be a 16-bit one; everything else has the wide type of it.
void check_dtypes(const std::string& op, const std::vector<Parameter>& parameters, const Inputs& inputs) {
  const auto parameter = [&](size_t i) -> const Parameter& { return parameters[std::min(i, parameters.size() - 1)]; };
  size_t model = inputs.size();
  for (size_t i = 0; i < inputs.size(); i++)
    if (present(inputs, i) && (model == inputs.size() || (parameter(i).feature_map && !parameter(model).feature_map)))
      model = i;
  for (size_t i = 0; i < inputs.size(); i++) {
    if (!present(inputs, i)) continue;
    const DType found = inputs[i].layout.dtype, of_model = inputs[model].layout.dtype;
    const DType allowed = parameter(i).feature_map ? of_model : wide_of(of_model);
    require(found == allowed, "TYPE",
            op + ": " + parameter(i).name + " is " + name_of(found) + ", allowed is " + name_of(allowed) +
                (i == model ? "; cast it"
                            : std::string(" beside ") + parameter(model).name + " of " + name_of(of_model)));
  }
}

}  // namespace

void check_inputs(const KernelEntry& entry, const Inputs& inputs) {
  const std::vector<Parameter> parameters = parameters_of(entry);
  check_presence(entry.name, parameters, inputs);
  check_dtypes(entry.name, parameters, inputs);
}

}  // namespace voxelspark
