// Stochastic gradient descent on many tensors at once, in place (method.md section 5, PyTorch's order of operations):
//   g <- g / gradient_scale;  g <- g * min(1, clip / (norm + 1e-6)) where clip > 0;  g <- g + weight_decay * w;
//   v <- momentum * v + g;  w <- w - lr * (nesterov ? g + momentum * v : v);  without momentum w <- w - lr * g.
// Momenta start as zeros, which gives PyTorch's v = g in the first step. With a norm that is not finite nothing
// changes; whoever reads the norm sees it. The gradients themselves are left alone. gradient_scale is what the loss was
// multiplied with so that gradients of 16 bits do not vanish; the norm is that of the gradients without it.
// Inputs: norm?, rate?, scale?, then all parameters, all gradients and, with momentum, all momenta. A rate or a scale
// of one element takes the place of lr or gradient_scale: a step that a graph repeats reads what they are then.
// Elementwise, so any number of threads gives the same bits.
#pragma once
#include <cmath>

#include "core/text.h"
#include "ops/checks.h"

namespace voxelspark {

struct Sgd : Descriptor {
  static constexpr size_t kScalars = 3;
  static constexpr const char* kNames[kScalars] = {"norm", "rate", "scale"};
  double lr = 0, momentum = 0, weight_decay = 0, clip = 0, gradient_scale = 1;
  bool nesterov = false;

  void fields(FieldVisitor& v) override {
    v.field("lr", lr);
    v.field("momentum", momentum);
    v.field("weightDecay", weight_decay);
    v.field("clip", clip);
    v.field("gradientScale", gradient_scale);
    v.field("nesterov", nesterov);
  }
  Layouts infer(const Inputs& in) const override {
    require_number("lr", lr, std::isfinite(lr) && lr >= 0, "[0, inf)");
    require_number("momentum", momentum, momentum >= 0 && momentum < 1, "[0, 1)");
    require_number("weightDecay", weight_decay, std::isfinite(weight_decay) && weight_decay >= 0, "[0, inf)");
    require_number("clip", clip, std::isfinite(clip) && clip >= 0, "[0, inf), 0 = none");
    require_number("gradientScale", gradient_scale, std::isfinite(gradient_scale) && gradient_scale > 0, "(0, inf)");
    require(!nesterov || momentum > 0, "RANGE", "sgd: nesterov needs a momentum above 0");
    require(clip == 0 || present(in, 0), "TYPE", "sgd: clipping needs the gradient norm");
    for (size_t i = 0; i < kScalars; i++)
      if (present(in, i))
        require_shape(in[i].layout.shape.elements() == 1, std::string("sgd: ") + kNames[i] + " has shape " +
                                                              to_string(in[i].layout.shape) + ", allowed is ()");
    const size_t tensors = in.size() < kScalars ? 0 : in.size() - kScalars, roles = momentum > 0 ? 3 : 2;
    require_shape(tensors > 0 && tensors % roles == 0,
                  "sgd: got " + std::to_string(tensors) + " tensors, allowed are multiples of " +
                      std::to_string(roles) +
                      (roles == 3 ? " (parameters, gradients, momenta)" : " (parameters, gradients)"));
    const size_t n = tensors / roles;
    for (size_t i = n; i < tensors; i++)
      require_same(in[kScalars + i].layout, in[kScalars + i % n].layout, "sgd",
                   i < 2 * n ? "a gradient" : "a momentum");
    return {};
  }
  static void require_number(const char* name, double value, bool allowed, const char* range) {
    require(allowed, "RANGE", std::string("sgd: ") + name + " is " + text_of(value) + ", allowed is " + range);
  }
  int64_t parameters(const Inputs& in) const {
    return static_cast<int64_t>(in.size() - kScalars) / (momentum > 0 ? 3 : 2);
  }
  // What gradients are multiplied with.
  template <class T>
  double clipping(const Inputs& in) const {
    const double factor = clip / ((present(in, 0) ? *in[0].as<T>() : 0) + 1e-6);
    return (clip > 0 && factor < 1 ? factor : 1) / (present(in, 2) ? *in[2].as<T>() : gradient_scale);
  }
  template <class T>
  T rate(const Inputs& in) const {
    return present(in, 1) ? *in[1].as<T>() : static_cast<T>(lr);
  }
};

}  // namespace voxelspark
