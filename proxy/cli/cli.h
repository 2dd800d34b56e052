#pragma once

#include <string>
#include <vector>

namespace weir::cli {

/// The default configuration file.
inline constexpr const char* kDefaultFile = "/etc/weir/weir.yaml";

/// argv to a subcommand; its exit code: 0 done, 1 failed, 2 wrong usage.
int run(int argc, char** argv);

// The subcommands, a file each.
struct RunArguments {
  std::string file = kDefaultFile;
  bool join = false;
};
int run_proxy(const RunArguments& arguments);

struct CheckArguments {
  std::string file = kDefaultFile;
  std::string format = "text";
  bool is_here = false;  // what a start by this user on this machine lacks is a problem, else a warning
};
int check(const CheckArguments& arguments);

struct ExplainArguments {
  std::string file = kDefaultFile;
  std::string method;
  std::string url;
  std::vector<std::string> headers;
  std::string client = "127.0.0.1";
};
int explain(const ExplainArguments& arguments);

/// Where the admin API of the running process is, and the file of its token; taken from the configuration when `admin`
/// is left out.
struct AdminArguments {
  std::string file = kDefaultFile;
  std::string admin;
  std::string token_file;
  bool is_file_given = false;
};
int reload(const AdminArguments& arguments);
struct WhyArguments {
  bool is_asked = false;
  std::string upstream;  // "" = all
};
int status(const AdminArguments& arguments, const WhyArguments& why);
struct EndpointArguments {
  std::string upstream;
  std::string endpoint;
};
/// `verb`: drain or up.
int order(const AdminArguments& arguments, const EndpointArguments& endpoint, const char* verb);
int healthcheck(const AdminArguments& arguments);
int effective_config(const AdminArguments& arguments);

int schema(bool reference);
int version();

}  // namespace weir::cli
