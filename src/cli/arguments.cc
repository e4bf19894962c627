#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "cli/commands.h"

namespace footlight::cli {
namespace {

// Whether a default tells the reader something: empty, zero, -1 and the greatest mean "not given".
template <class T>
bool is_shown(const T& value) {
  if constexpr (std::is_integral_v<T>) {
    return value > 0 && value != std::numeric_limits<T>::max();
  } else {
    return !value.empty();
  }
}

}  // namespace

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::existing_file() {
  option_->check(CLI::ExistingFile);
  return *this;
}

Option& Option::range(int64_t least, int64_t most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

template <class T>
Option Command::option(const char* names, T& value, const char* help) {
  CLI::Option* option = app_->add_option(names, value, help);
  if (is_shown(value)) option->capture_default_str();
  return Option(option);
}

template Option Command::option(const char*, std::string&, const char*);
template Option Command::option(const char*, std::vector<std::string>&, const char*);
template Option Command::option(const char*, int&, const char*);
template Option Command::option(const char*, int64_t&, const char*);
template Option Command::option(const char*, uint16_t&, const char*);
template Option Command::option(const char*, uint32_t&, const char*);
template Option Command::option(const char*, uint64_t&, const char*);

void Command::flag(const char* names, bool& value, const char* help) {
  app_->add_flag(names, value, help);
}

Command Command::command(const char* name, const char* help, std::function<int()> run) {
  CLI::App* command = app_->add_subcommand(name, help);
  command->callback([chosen = chosen_, run = std::move(run)] { *chosen = run; });
  return Command(command, chosen_);
}

CommandLine::CommandLine(const char* about, const char* version) : app_(new CLI::App(about)) {
  app_->require_subcommand(1);
  app_->set_version_flag("--version", version);
}

CommandLine::~CommandLine() { delete app_; }

Command CommandLine::command(const char* name, const char* help, std::function<int()> run) {
  CLI::App* command = app_->add_subcommand(name, help);
  command->callback([this, command, run = std::move(run)] {
    // Called after the one of a subcommand of its own, which is then what was meant.
    if (command->get_subcommands().empty()) chosen_ = run;
  });
  return Command(command, &chosen_);
}

int CommandLine::run(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_->exit(error) == 0 ? 0 : kExitUsage;
  }
  return chosen_();
}

}  // namespace footlight::cli
