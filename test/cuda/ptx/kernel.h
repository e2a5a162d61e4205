// A kernel as it was read from PTX.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "instruction.h"

namespace ptx {

struct Parameter {
  std::string_view name;
  uint32_t offset, bytes;
};

struct Variable {  // in shared memory
  std::string_view name;
  uint32_t bytes, alignment;
  bool dynamic;  // extern: begins where the others end
};

// A place among a warp's registers that is filled before the first instruction.
struct Constant {
  uint32_t at, wide_at;
  int64_t value;
};
struct Special {
  enum What {
    tid_x,
    tid_y,
    tid_z,
    ntid_x,
    ntid_y,
    ntid_z,
    ctaid_x,
    ctaid_y,
    ctaid_z,
    nctaid_x,
    nctaid_y,
    nctaid_z,
    laneid,
    warpid,
    nothing
  };
  What what;
  uint32_t at;
};

struct Kernel {
  std::string name;                         // as in the PTX
  std::shared_ptr<const std::string> text;  // what all views are of
  std::vector<Parameter> parameters;
  uint32_t parameter_bytes = 0;
  uint32_t most_threads = 1024;  // .maxntid
  uint32_t most_registers = 0;   // .maxnreg; 0: not said
  uint32_t least_blocks = 0;     // .minnctapersm; 0: not said
  uint32_t static_shared = 0;    // bytes
  uint32_t dynamic_start = 0;    // address
  std::vector<Instruction> code;
  std::deque<std::vector<Operand>> operands;  // stay where they are
  uint32_t register_bytes = 0;
  std::vector<Constant> constants;
  std::vector<Special> specials;

  std::string title() const;  // demangled
};

// The entries of one module: where in its text they are.
struct Module {
  struct Entry {
    size_t begin, body, end;  // of the header, of `{`, behind `}`
  };
  std::shared_ptr<const std::string> text;
  std::map<std::string, Entry> entries;
  std::vector<Variable> shared;  // of the module
  explicit Module(std::string all);
};

// Where a kernel's text begins and ends; `line` is that of its first character.
std::unique_ptr<Kernel> parse(const Module& module, const std::string& name);
// Immediate post-dominators: where the lanes of each branch meet again.
void find_meetings(std::vector<Instruction>& code);

}  // namespace ptx
