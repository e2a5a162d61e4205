#include "launch.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <sstream>

#include "../emulator/emulator.h"
#include "block.h"
#include "counters.h"
#include "global.h"

namespace {

std::string problem;

}  // namespace

namespace emulator {

const std::string& complaint() { return problem; }
void forget_complaint() { problem.clear(); }

}  // namespace emulator

namespace ptx {

namespace {

// The first problem stays: the device is lost then, as with a driver.
template <class Body>
void note_problems(const Body& body) {
  if (!problem.empty()) return;
  try {
    body();
  } catch (const std::exception& error) {
    problem = error.what();
  }
}

std::string read_file(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) fail(std::string("cannot read ") + path);
  return text.str();
}

// For planted bugs: the file at VOXELSPARK_PTX_EDIT says in its first line what is replaced everywhere, a regular
// expression behind a slash or else plain text, and in its second what by.
std::string edited(std::string text) {
  const char* path = std::getenv("VOXELSPARK_PTX_EDIT");
  if (!path) return text;
  std::istringstream lines(read_file(path));
  std::string found, planted;
  std::getline(lines, found);
  std::getline(lines, planted);
  if (found.substr(0, 1) == "/") return std::regex_replace(text, std::regex(found.substr(1)), planted);
  for (size_t at = text.find(found); at != text.npos; at = text.find(found, at + planted.size()))
    text.replace(at, found.size(), planted);
  return text;
}

const Kernel& kernel_of(Function& f) {
  if (!f.kernel) f.kernel = parse(f.library->module(), f.name);
  return *f.kernel;
}

std::string size(const Index& i) {
  return std::to_string(i.x) + " x " + std::to_string(i.y) + " x " + std::to_string(i.z);
}

void check_limits(const Function& f, const Kernel& kernel, const Index& grid, const Index& block, size_t bytes) {
  constexpr uint32_t kMostX = 0x7FFFFFFF, kMostYZ = 65535, kMostParameters = 32764;
  if (block.count() == 0 || block.count() > kernel.most_threads || block.z > 64)
    fail("a block of " + size(block) + " threads, allowed are " + std::to_string(kernel.most_threads));
  if (grid.count() == 0 || grid.x > kMostX || grid.y > kMostYZ || grid.z > kMostYZ)
    fail("a grid of " + size(grid) + " blocks is not possible");
  if (bytes > f.dynamic_limit)
    fail(std::to_string(bytes) + " bytes of dynamic shared memory, asked for were " + std::to_string(f.dynamic_limit));
  const size_t all = kernel.dynamic_start - kSharedStart + bytes;
  const size_t most = f.dynamic_limit > 48 << 10 ? emulator::shared_limit() : size_t{48} << 10;
  if (all > most) fail(std::to_string(all) + " bytes of shared memory, allowed are " + std::to_string(most));
  if (kernel.parameter_bytes > kMostParameters)
    fail(std::to_string(kernel.parameter_bytes) + " bytes of parameters, allowed are " +
         std::to_string(kMostParameters));
}

}  // namespace

const Module& Library::module() {
  if (!module_) module_ = std::make_unique<Module>(edited(text_()));
  return *module_;
}

void allow_dynamic(Function& f, int bytes) {
  note_problems([&] {
    const size_t all = kernel_of(f).dynamic_start - kSharedStart + static_cast<size_t>(bytes);
    if (bytes < 0 || all > emulator::shared_limit())
      fail(std::to_string(all) + " bytes of shared memory, allowed are " + std::to_string(emulator::shared_limit()));
    f.dynamic_limit = static_cast<uint32_t>(bytes);
  });
}

std::shared_ptr<Launch> prepare(Function& f, Index grid, Index block, size_t bytes, void** arguments) {
  std::shared_ptr<Launch> launch;
  note_problems([&] {
    const Kernel& kernel = kernel_of(f);
    check_limits(f, kernel, grid, block, bytes);
    std::vector<uint8_t> parameters(kernel.parameter_bytes);
    for (size_t k = 0; k < kernel.parameters.size(); k++)
      std::memcpy(parameters.data() + kernel.parameters[k].offset, arguments[k], kernel.parameters[k].bytes);
    launch = std::make_shared<Launch>(Launch{kernel, grid, block, static_cast<uint32_t>(bytes), std::move(parameters),
                                             emulator::current_order(), emulator::current_late()});
  });
  return launch;
}

void run_prepared(Launch& launch, emulator::Late late) {
  note_problems([&] {
    if (emulator::fail_this_launch()) fail("a failure that the test asked for");
    launch.order = emulator::current_order();
    launch.late = late;
    recent_extent = {};
    const CountedLaunch counted(launch);
    run(launch);
  });
}

}  // namespace ptx
