// A PTX instruction as the machine executes it: its opcode split at the dots, its operands as places among a warp's
// registers, and the function that executes it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ptx {

class Warp;
struct Instruction;

constexpr uint32_t kLanes = 32, kAll = 0xFFFFFFFF;

// `blocked`: nothing was changed that a second execution would repeat; the instruction is executed again when the warp
// has its next turn. If no warp of a block gets further, that is an error of the kernel.
enum class Outcome { done, blocked };
using Handler = Outcome (*)(Warp&, const Instruction&);

struct Operand {
  enum Kind : uint8_t { kRegister, kConstant, kAddress, kLabel, kList };
  Kind kind = kConstant;
  uint8_t bits = 0;  // of a register or of an address's base: 1 (predicate), 16, 32 or 64; 0: of a constant
  // Bytes from the start of a warp's registers. Constants have such places like registers do, one of 32 lanes of 32
  // bits and one of 32 lanes of 64 bits, so handlers need not tell them apart; of a register both are the same.
  uint32_t at = 0, wide_at = 0;
  int64_t value = 0;              // constant: its bits; address: what is added to the base; label: instruction
  uint32_t first = 0, count = 0;  // list {a, b, ...} and pair a|b: items[first ...]
};

// Where an instruction comes from, for messages.
struct Source {
  std::string_view text;  // as in the PTX
  uint32_t line;          // of the module
};

struct Instruction {
  Handler run = nullptr;
  const Operand* operands = nullptr;
  const Operand* items = nullptr;  // of lists
  uint32_t count = 0;              // of operands, as they are written from left to right
  uint32_t guard = kUnguarded;     // @p: place of the predicate
  bool unless = false;             // @!p
  enum Flow : uint8_t { straight, branch, end } flow = straight;
  bool uniform = false;                     // bra.uni
  bool products = false;                    // names a register of a wgmma, which it is not
  uint8_t kind = 0;                         // Class, for counters
  uint32_t target = 0, reconverge = 0;      // branch
  uint64_t detail = 0;                      // what its resolver wants to tell its handler
  std::string_view opcode;                  // "mma", up to the first dot
  std::vector<std::string_view> modifiers;  // "sync", "aligned", "m16n8k16", ...; ".L2::128B" is one: "L2::128B"
  Source source;

  static constexpr uint32_t kUnguarded = ~0u;
  const Operand& operator[](size_t i) const { return operands[i]; }
  const Operand& item(const Operand& list, size_t i) const { return items[list.first + i]; }
  bool has(std::string_view modifier) const {
    for (const auto& m : modifiers)
      if (m == modifier) return true;
    return false;
  }
};

// Ends the kernel; the machine adds where it happened.
[[noreturn]] void fail(const std::string& complaint);
std::string hex(uint64_t number);

// Finds the handler for one spelling of an opcode when a kernel is parsed and may fill `detail`; nullptr: not a
// spelling it knows, which ends the launch with an error that names it.
using Resolver = Handler (*)(Instruction&);

// `static const Family ldmatrix("ldmatrix", resolve_ldmatrix);` in any .cc file. The name is everything up to the first
// dot, or more of the opcode ("cp.async.bulk"): the longest that fits is asked.
class Family {
 public:
  Family(const char* name, Resolver resolver);
  static Handler resolve(Instruction& instruction);
};

}  // namespace ptx
