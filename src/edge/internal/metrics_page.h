// A page of metrics in Prometheus' text format, as its writers fill it: a head (help and type),
// then a line for each set of labels. Times are microseconds and are shown as seconds.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/histogram.h"

namespace footlight::edge {

// Seconds, as Prometheus advises for latencies; those around the budgets stand out.
inline constexpr std::array<uint64_t, 14> kMetricBucketsUs = {
    500,     1'000,   2'500,   5'000,   10'000,    25'000,    50'000,
    100'000, 150'000, 250'000, 500'000, 1'000'000, 2'000'000, 5'000'000};

// Microseconds as seconds, without floating point: 1234567 → "1.234567".
inline void append_seconds(std::string& out, uint64_t us) {
  out += std::to_string(us / 1'000'000);
  const std::string part = std::to_string(us % 1'000'000);
  if (part == "0") return;
  out += '.';
  out.append(6 - part.size(), '0');
  out += part;
  while (out.back() == '0') out.pop_back();
}

class MetricsPage {
 public:
  void head(std::string_view name, std::string_view type, std::string_view help) {
    out_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
    out_.append(name).append(" ").append(type).append("\n");
  }
  void line(std::string_view name, std::string_view labels, uint64_t value) {
    out_.append(name);
    if (!labels.empty()) out_.append("{").append(labels).append("}");
    out_.append(" ").append(std::to_string(value)).append("\n");
  }
  void counter(std::string_view name, std::string_view help, uint64_t value) {
    head(name, "counter", help);
    line(name, {}, value);
  }
  void gauge(std::string_view name, std::string_view help, uint64_t value) {
    head(name, "gauge", help);
    line(name, {}, value);
  }
  // `unit_us`: what one unit of the histogram is. The head is the caller's.
  void histogram(std::string_view name, const std::string& labels, const Histogram& values,
                 uint64_t unit_us) {
    const std::string base(name);
    const std::string comma = labels.empty() ? "" : ",";
    for (const uint64_t bound_us : kMetricBucketsUs) {
      std::string le = labels + comma + "le=\"";
      append_seconds(le, bound_us);
      line(base + "_bucket", le + "\"", values.count_up_to(bound_us / unit_us));
    }
    line(base + "_bucket", labels + comma + "le=\"+Inf\"", values.count());
    seconds(base + "_sum", labels, values.sum() * unit_us);
    line(base + "_count", labels, values.count());
  }
  void seconds(std::string_view name, std::string_view labels, uint64_t us) {
    out_.append(name);
    if (!labels.empty()) out_.append("{").append(labels).append("}");
    out_.append(" ");
    append_seconds(out_, us);
    out_.append("\n");
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace footlight::edge
