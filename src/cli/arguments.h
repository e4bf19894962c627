// The command line: subcommands with options that are read into variables. CLI11 does the work; it
// is behind this interface because it is all header, and costs each file that includes it 15 s to
// compile.
#pragma once
#include <cstdint>
#include <functional>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace footlight::cli {

// One option that was just declared; what follows narrows what it takes.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option& required();
  Option& existing_file();
  Option& range(int64_t least, int64_t most);  // both included

 private:
  CLI::Option* option_;
};

// One subcommand. Variables must live until the command line has run.
class Command {
 public:
  Command(CLI::App* app, std::function<int()>* chosen) : app_(app), chosen_(chosen) {}

  // `names` as "-o,--out", or "file" for a positional argument. What `value` holds is the default,
  // and
  // --help shows it. T: std::string, std::vector<std::string> (may be repeated), an integer type.
  template <class T>
  Option option(const char* names, T& value, const char* help);
  void flag(const char* names, bool& value, const char* help);
  // A subcommand of this one, with options of its own. This one's are then not asked for: what it
  // requires, it checks itself.
  Command command(const char* name, const char* help, std::function<int()> run);

 private:
  CLI::App* app_;
  std::function<int()>* chosen_;
};

class CommandLine {
 public:
  CommandLine(const char* about, const char* version);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // `run` gives the exit code, and is called when the subcommand was the one chosen.
  Command command(const char* name, const char* help, std::function<int()> run);
  // Parses and runs. A line that does not parse is explained on stderr and gives kExitUsage.
  int run(int argc, char** argv);

 private:
  CLI::App* app_;
  std::function<int()> chosen_;
};

}  // namespace footlight::cli
