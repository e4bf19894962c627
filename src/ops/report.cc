#include "ops/report.h"

#include <algorithm>
#include <cstdio>

#include "core/assert.h"
#include "core/json.h"

namespace footlight::ops {
namespace {

std::string table_milliseconds(uint64_t us) {
  char text[32];
  std::snprintf(text, sizeof text, "%llu.%llu", static_cast<unsigned long long>(us / 1000),
                static_cast<unsigned long long>(us % 1000 / 100));
  return text;
}

std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

}  // namespace

const std::vector<Budget>& budgets() {
  static const std::vector<Budget> all = {
      {"vote", "click -> a tally with it at another client", 250, 0},
      {"reaction", "click -> the sum with it at another client", 250, 0},
      {"command", "click -> confirmed, durable", 500, 0},
      {"reconcile", "click -> seen by another client", 1000, 2000},
  };
  return all;
}

const std::vector<Budget>& media_budgets() {
  static const std::vector<Budget> all = {
      {"voice", "said -> heard by another, one way", 150, 0},
      {"video", "shown -> seen by another, one way", 150, 0},
  };
  return all;
}

bool Measured::holds() const {
  return us.count() > 0 && us.quantile(990) < uint64_t{budget.p99_ms} * 1000 &&
         (budget.never_over_ms == 0 || us.max() <= uint64_t{budget.never_over_ms} * 1000);
}

Measured& Report::of(std::string_view name) {
  for (Measured& measured : classes) {
    if (measured.budget.name == name) return measured;
  }
  for (const auto* all : {&budgets(), &media_budgets()}) {
    for (const Budget& budget : *all) {
      if (budget.name == name) return classes.emplace_back(Measured{budget, {}});
    }
  }
  FL_ASSERT(false, "only classes with a budget are measured");
}

bool Report::holds() const {
  return std::all_of(classes.begin(), classes.end(), [](const auto& m) { return m.holds(); }) &&
         std::all_of(promises.begin(), promises.end(), [](const auto& p) { return p.holds(); }) &&
         std::all_of(bounds.begin(), bounds.end(), [](const auto& b) { return b.holds(); });
}

std::string Report::table() const {
  std::string text = "  class        budget p99       p50       p99       max   samples\n";
  for (const Measured& m : classes) {
    text += m.holds() ? "  " : "! ";
    text += m.budget.name + std::string(11 - std::min<size_t>(11, m.budget.name.size()), ' ');
    text += padded(std::to_string(m.budget.p99_ms) + " ms", 12);
    for (const uint64_t us : {m.us.quantile(500), m.us.quantile(990), m.us.max()}) {
      text += padded(table_milliseconds(us), 10);
    }
    text += padded(std::to_string(m.us.count()), 10) + "   " + m.budget.meaning + "\n";
  }
  for (const Promise& p : promises) {
    text += p.holds() ? "  " : "! ";
    text += p.name + ": " + std::to_string(p.found);
    if (!p.holds()) text += ", expected " + std::to_string(p.expected);
    text += "\n";
  }
  for (const Bound& b : bounds) {
    text += b.holds() ? "  " : "! ";
    text += b.name + ": " + std::to_string(b.found) + " " + b.unit + ", at most " +
            std::to_string(b.most) + "\n";
  }
  if (!fault.empty()) text += "  media: " + fault + "\n";
  for (const auto& [code, count] : rejected) {
    text += "  rejected " + std::to_string(code) + ": " + std::to_string(count) + "\n";
  }
  return text;
}

std::string Report::json(std::string_view bench) const {
  std::string text;
  for (const Measured& m : classes) {
    JsonWriter out(text);
    out.object().field("bench", bench).field("metric", std::string_view(m.budget.name));
    out.field("unit", "us").field("p50", m.us.quantile(500)).field("value", m.us.quantile(990));
    out.field("max", m.us.max()).field("samples", m.us.count());
    out.field("budget", uint64_t{m.budget.p99_ms} * 1000).field("holds", m.holds()).end_object();
    text += '\n';
  }
  for (const Promise& p : promises) {
    JsonWriter out(text);
    out.object().field("bench", bench).field("metric", std::string_view(p.name));
    out.field("unit", "count").field("value", p.found).field("budget", p.expected);
    out.field("holds", p.holds()).end_object();
    text += '\n';
  }
  for (const Bound& b : bounds) {
    JsonWriter out(text);
    out.object().field("bench", bench).field("metric", std::string_view(b.name));
    out.field("unit", std::string_view(b.unit)).field("value", b.found).field("budget", b.most);
    out.field("holds", b.holds()).end_object();
    text += '\n';
  }
  return text;
}

}  // namespace footlight::ops
