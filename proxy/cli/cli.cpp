#include "cli/cli.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "cli/declared.h"
#include "config/suggest.h"
#include "runtime/version.h"

namespace weir::cli {

namespace {

void add_file(CLI::App& command, std::string& file) {
  command.add_option("-c,--config", file, "the configuration file")->type_name("FILE")->capture_default_str();
}

void add_admin(CLI::App& command, AdminArguments& arguments) {
  add_file(command, arguments.file);
  command.add_option("--admin", arguments.admin, "address of the admin API; the file's when left out")
      ->type_name("ADDRESS");
  command.add_option("--token-file", arguments.token_file, "file of the admin API's token")->type_name("FILE");
}

/// What is wrong with the first word of the command line; "" when it is an option, or a command.
std::string unknown_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return "";
  const std::string word = argv[1];
  std::vector<std::string> known;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == word) return "";
    known.push_back(command->get_name());
  }
  return "unknown command '" + word + "'; " + config::did_you_mean(word, known) +
         "commands are: " + config::join(known);
}

constexpr Duration kForLogs = std::chrono::milliseconds(900);  // at the end of the process

/// False, and told on stderr, when a part of the output was lost: a full disk, a closed pipe.
bool is_stdout_written() {
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return true;
  std::fprintf(stderr, "weir: the output could not be written: %s\n", std::strerror(errno));
  return false;
}

}  // namespace

int run(int argc, char** argv) {
  CLI::App app("an HTTP reverse proxy and load balancer", "weir");
  app.require_subcommand(1);
  app.set_version_flag("--version", [] { return std::string("weir ") + runtime::kVersion; }, "print the version");
  app.footer(
      "Signals: HUP reloads, USR1 reopens the logs, TERM INT QUIT finish what is in flight; a second one stops at "
      "once.");
  int code = 0;

  RunArguments run_arguments;
  auto* run_command = app.add_subcommand("run", "serve until told to stop");
  add_file(*run_command, run_arguments.file);
  run_command->add_flag("--join", run_arguments.join, "share the addresses with a running weir, to take over from it");
  run_command->callback([&] { code = run_proxy(run_arguments); });

  CheckArguments check_arguments;
  auto* check_command = app.add_subcommand("check", "print every problem of a configuration");
  add_file(*check_command, check_arguments.file);
  check_command->add_option("FILE", check_arguments.file, "the same as -c");
  check_command->add_option("--format", check_arguments.format, "text or json")->check(CLI::IsMember({"text", "json"}));
  check_command->add_flag("--here", check_arguments.is_here,
                          "a start by this user on this machine: what it lacks is a problem, not a warning");
  check_command->callback([&] { code = check(check_arguments); });

  ExplainArguments explain_arguments;
  auto* explain_command = app.add_subcommand("explain", "tell what would become of a request");
  add_file(*explain_command, explain_arguments.file);
  explain_command->add_option("METHOD", explain_arguments.method, "GET")->required();
  explain_command->add_option("URL", explain_arguments.url, "http://host/path")->required();
  explain_command->add_option("-H,--header", explain_arguments.headers, "a request header, 'Name: value'")
      ->type_name("HEADER")
      ->allow_extra_args(false);
  explain_command->add_option("--client", explain_arguments.client, "the client's address")
      ->type_name("IP")
      ->capture_default_str();
  explain_command->callback([&] { code = explain(explain_arguments); });

  AdminArguments admin_arguments;
  const auto ask = [&](const char* name, const char* about, auto command) {
    auto* subcommand = app.add_subcommand(name, about);
    add_admin(*subcommand, admin_arguments);
    subcommand->callback([&code, &admin_arguments, subcommand, command] {
      admin_arguments.is_file_given = subcommand->count("--config") > 0;
      code = command(admin_arguments);
    });
    return subcommand;
  };
  ask("reload", "load the configuration again, as SIGHUP does, and print what came of it", reload);
  WhyArguments why;
  CLI::App* status_command = nullptr;
  status_command = ask("status", "show the process, its upstreams, circuits, limits, listeners and last failures",
                       [&](const AdminArguments& arguments) {
                         why.is_asked = status_command->count("--why") > 0;
                         return status(arguments, why);
                       });
  status_command->add_option("--why", why.upstream, "what is wrong, what it means and what to do next; of one upstream")
      ->type_name("[UPSTREAM]")
      ->expected(0, 1);
  EndpointArguments endpoint;
  for (const auto& [verb, about] : {std::pair("drain", "send no more requests to an endpoint"),
                                    std::pair("up", "send requests to an endpoint again; an ejection is over, too")}) {
    auto* command = ask(
        verb, about, [&endpoint, verb](const AdminArguments& arguments) { return order(arguments, endpoint, verb); });
    command->add_option("UPSTREAM", endpoint.upstream, "its name")->required();
    command->add_option("ENDPOINT", endpoint.endpoint, "its address, as `weir status` shows it")->required();
  }
  ask("healthcheck", "exit 0 when the running process is ready", healthcheck);
  ask("config", "print the configuration in effect, defaults filled in, secrets masked", effective_config);

  bool reference = false;
  auto* schema_command = app.add_subcommand("schema", "print a JSON Schema of the configuration, for editors");
  schema_command->add_flag("--reference", reference, "print REFERENCE.md instead");
  schema_command->callback([&] { code = schema(reference); });

  std::string page, shell;
  auto* manual_command = app.add_subcommand("manual", "print a manual page, as man(1) reads it");
  manual_command->add_option("PAGE", page, "weir, the commands; or weir.yaml, the settings")
      ->required()
      ->check(CLI::IsMember({"weir", "weir.yaml"}));
  manual_command->callback([&] { code = print_manual(declared(app), page); });
  auto* completion_command = app.add_subcommand("completion", "print what completes weir's command line in a shell");
  completion_command->add_option("SHELL", shell, "the shell that reads it")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion_command->callback([&] { code = print_completion(declared(app), shell); });
  app.add_subcommand("version", "print the version")->callback([&] { code = version(); });

  try {
    if (const auto problem = unknown_command(app, argc, argv); !problem.empty()) {
      std::fprintf(stderr, "weir: %s\n", problem.c_str());
      return 2;
    }
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help was asked for, or the version
    const auto chosen = app.get_subcommands();
    const auto command = chosen.empty() ? std::string() : chosen.front()->get_name();
    std::fprintf(stderr, "weir: %s%s%s; weir %s%s--help tells the usage\n", command.c_str(),
                 command.empty() ? "" : ": ", error.what(), command.c_str(), command.empty() ? "" : " ");
    return 2;
  }
  log::finish(kForLogs);
  return is_stdout_written() ? code : 1;
}

}  // namespace weir::cli
