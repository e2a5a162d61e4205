// Where lanes that part at a branch meet again: at its immediate post-dominator, the first instruction that all paths
// from it to the end go through. Found as Cooper, Harvey and Kennedy do ("A Simple, Fast Dominance Algorithm"), on the
// graph of basic blocks walked backwards.
#include <algorithm>
#include <set>

#include "kernel.h"

namespace ptx {

namespace {

constexpr uint32_t kNone = ~0u;

struct Node {
  uint32_t begin = 0, end = 0;  // instructions
  std::vector<uint32_t> next, before;
  uint32_t order = kNone, meeting = kNone;
};

class Graph {
 public:
  explicit Graph(const std::vector<Instruction>& code) : size_(static_cast<uint32_t>(code.size())) {
    std::set<uint32_t> leaders{0};
    for (uint32_t k = 0; k < size_; k++) {
      if (code[k].flow == Instruction::straight) continue;
      leaders.insert(k + 1);
      if (code[k].flow == Instruction::branch) leaders.insert(code[k].target);
    }
    leaders.insert(size_);
    starts_.assign(leaders.begin(), leaders.end());
    nodes_.resize(starts_.size());  // the last one is the end
    for (uint32_t n = 0; n + 1 < starts_.size(); n++) {
      nodes_[n].begin = starts_[n];
      nodes_[n].end = starts_[n + 1];
      connect(n, code[nodes_[n].end - 1]);
    }
    nodes_[last()].begin = nodes_[last()].end = size_;
  }

  void find_post_dominators() {
    walk();
    nodes_[last()].meeting = last();
    for (bool changed = true; changed;) {
      changed = false;
      for (const uint32_t n : reversed_) {
        uint32_t meeting = kNone;
        for (const uint32_t s : nodes_[n].next)
          if (nodes_[s].meeting != kNone) meeting = meeting == kNone ? s : common(meeting, s);
        if (meeting == nodes_[n].meeting) continue;
        nodes_[n].meeting = meeting;
        changed = true;
      }
    }
  }

  // The instruction behind which the lanes of the branch at `k` meet; the size of the code: only at the end.
  uint32_t meeting(uint32_t k) const {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), k);
    const Node& node = nodes_[static_cast<size_t>(next - starts_.begin()) - 1];
    return node.meeting == kNone ? size_ : nodes_[node.meeting].begin;
  }

 private:
  uint32_t last() const { return static_cast<uint32_t>(nodes_.size()) - 1; }

  void connect(uint32_t n, const Instruction& i) {
    const auto edge = [&](uint32_t to) {
      nodes_[n].next.push_back(to);
      nodes_[to].before.push_back(n);
    };
    if (i.flow == Instruction::end) edge(last());
    if (i.flow == Instruction::branch)
      edge(static_cast<uint32_t>(std::lower_bound(starts_.begin(), starts_.end(), i.target) - starts_.begin()));
    if (i.flow == Instruction::straight || i.guard != Instruction::kUnguarded) edge(n + 1);
  }

  // Backwards from the end: in the order of return, the end last.
  void walk() {
    std::vector<std::pair<uint32_t, size_t>> path{{last(), 0}};
    std::vector<bool> seen(nodes_.size());
    seen[last()] = true;
    uint32_t order = 0;
    while (!path.empty()) {
      auto& [n, edge] = path.back();
      if (edge < nodes_[n].before.size()) {
        const uint32_t to = nodes_[n].before[edge++];
        if (!seen[to]) path.push_back({to, 0});
        seen[to] = true;
      } else {
        nodes_[n].order = order++;
        if (n != last()) reversed_.push_back(n);
        path.pop_back();
      }
    }
    std::reverse(reversed_.begin(), reversed_.end());
  }

  uint32_t common(uint32_t a, uint32_t b) const {
    while (a != b) {
      while (nodes_[a].order < nodes_[b].order) a = nodes_[a].meeting;
      while (nodes_[b].order < nodes_[a].order) b = nodes_[b].meeting;
    }
    return a;
  }

  uint32_t size_;
  std::vector<uint32_t> starts_, reversed_;
  std::vector<Node> nodes_;
};

}  // namespace

void find_meetings(std::vector<Instruction>& code) {
  if (code.empty()) return;
  Graph graph(code);
  graph.find_post_dominators();
  for (uint32_t k = 0; k < code.size(); k++)
    if (code[k].flow == Instruction::branch) code[k].reconverge = graph.meeting(k);
}

}  // namespace ptx
