#include "edge/config_yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

namespace footlight::edge {
namespace {

// Builds the tree from the parser's events, which carry the place of each token.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(ConfigNode& root) : root_(root) {}

  bool ok() const { return fault_.empty(); }
  const std::string& fault() const { return fault_; }
  YAML::Mark mark() const { return mark_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { value(mark, {}); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    stop(mark, "aliases are not taken");
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string& text) override {
    if (!open_.empty() && open_.back().node->kind == ConfigNode::Kind::kMap &&
        !open_.back().has_key) {
      open_.back().has_key = true;
      open_.back().key = {text, {}, mark.line + 1, mark.column + 1};
      return;
    }
    ConfigNode node;
    node.kind = ConfigNode::Kind::kScalar;
    node.text = text;
    value(mark, std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, ConfigNode::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, ConfigNode::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    ConfigNode* node = nullptr;
    bool has_key = false;
    ConfigNode::Member key;
  };

  void stop(const YAML::Mark& mark, std::string why) {
    if (!ok()) return;
    fault_ = std::move(why);
    mark_ = mark;
  }

  ConfigNode* place(const YAML::Mark& mark, ConfigNode node) {
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    if (open_.empty()) {
      root_ = std::move(node);
      return &root_;
    }
    Open& parent = open_.back();
    if (parent.node->kind == ConfigNode::Kind::kList) {
      parent.node->items.push_back(std::move(node));
      return &parent.node->items.back();
    }
    if (!parent.has_key) {
      stop(mark, "a key is a plain text");
      return &spare_;
    }
    parent.has_key = false;
    parent.key.value = std::move(node);
    parent.node->members.push_back(std::move(parent.key));
    return &parent.node->members.back().value;
  }

  void value(const YAML::Mark& mark, ConfigNode node) {
    if (ok()) place(mark, std::move(node));
  }

  void open(const YAML::Mark& mark, ConfigNode::Kind kind) {
    if (static_cast<int>(open_.size()) >= kMaxConfigDepth) stop(mark, "nested too deep");
    if (!ok()) {
      ++ignored_;
      return;
    }
    ConfigNode node;
    node.kind = kind;
    ConfigNode* placed = place(mark, std::move(node));
    if (!ok()) {
      ++ignored_;
      return;
    }
    open_.push_back({placed, false, {}});
  }

  void close() {
    if (ignored_ > 0) {
      --ignored_;
    } else if (!open_.empty()) {
      open_.pop_back();
    }
  }

  ConfigNode& root_;
  ConfigNode spare_;
  std::vector<Open> open_;
  int ignored_ = 0;
  std::string fault_;
  YAML::Mark mark_;
};

}  // namespace

bool parse_config_yaml(std::string_view yaml, ConfigNode& out, ConfigFault& fault) {
  fault = {0, 0, {}, {Code::kConfigSyntax, {}, 0}};
  if (yaml.size() > kMaxConfigBytes) {
    fault.error.detail = "larger than 1 MiB";
    return false;
  }
  try {
    std::istringstream in{std::string(yaml)};
    YAML::Parser parser(in);
    Builder builder(out);
    parser.HandleNextDocument(builder);
    if (builder.ok()) return true;
    fault.line = builder.mark().line + 1;
    fault.column = builder.mark().column + 1;
    fault.error.detail = builder.fault();
  } catch (const YAML::Exception& e) {
    fault.line = e.mark.line + 1;
    fault.column = e.mark.column + 1;
    fault.error.detail = e.msg;
  }
  return false;
}

}  // namespace footlight::edge
