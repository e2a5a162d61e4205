#include "ops/schema.h"

#include <sstream>

#include "ops/registry.h"

namespace voxelspark {

// Names and defaults hold nothing that JSON would need to escape.
class SchemaWriter : public FieldVisitor {
 public:
  void field(const char* name, int64_t& v) override { put(name, "integer", std::to_string(v)); }
  void field(const char* name, double& v) override {
    std::ostringstream text;
    text << v;
    put(name, "number", text.str());
  }
  void field(const char* name, bool& v) override { put(name, "boolean", v ? "true" : "false"); }
  void field(const char* name, Int3& v) override {
    put(name, "triple", "[" + std::to_string(v.z) + ", " + std::to_string(v.y) + ", " + std::to_string(v.x) + "]");
  }
  void field(const char* name, std::vector<double>&) override { put(name, "numbers", "[]"); }
  void field(const char* name, std::shared_ptr<const BlockGrid>&) override { put(name, "mask", "undefined"); }

  std::string attributes;

 private:
  void put(const std::string& name, const std::string& type, const std::string& fallback) {
    attributes +=
        (attributes.empty() ? "\"" : ",\"") + name + "\":{\"type\":\"" + type + "\",\"default\":\"" + fallback + "\"}";
  }
};

std::string schema_json() {
  std::string json = "[";
  for (const KernelEntry& entry : kernel_table) {
    SchemaWriter writer;
    entry.make()->fields(writer);
    json += (json.size() > 1 ? ",{\"name\":\"" : "{\"name\":\"") + std::string(entry.name) + "\",\"inputs\":\"" +
            entry.inputs + "\",\"outputs\":\"" + entry.outputs + "\",\"attributes\":{" + writer.attributes + "}}";
  }
  return json + "]";
}

}  // namespace voxelspark
