#include "base/log_writer.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

using namespace weir;
using namespace std::chrono_literals;

namespace {

constexpr Duration kLong = 30s;

struct Folder {
  std::string path = [] {
    char name[] = "/tmp/weir-log-XXXXXX";
    REQUIRE(mkdtemp(name));
    return std::string(name);
  }();
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file() const { return path + "/a.log"; }
  std::string text() const {
    std::ifstream file(path + "/a.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

/// The news of a writer, and what it dropped.
struct Told {
  struct Box {
    std::mutex mutex;
    std::vector<std::pair<LogNews::What, std::string>> news;
  };
  std::shared_ptr<Box> box = std::make_shared<Box>();
  DroppedLines dropped = std::make_shared<std::atomic<uint64_t>>(0);

  LogWriterOptions options() {
    return {.dropped = dropped, .tell = [box = box](const LogNews& news) {
              const std::lock_guard lock(box->mutex);
              box->news.emplace_back(news.what, news.why);
            }};
  }
  bool has(LogNews::What what) const {
    const std::lock_guard lock(box->mutex);
    return std::ranges::any_of(box->news, [&](const auto& news) { return news.first == what; });
  }
  bool comes(LogNews::What what) const {
    for (int i = 0; i < 3000 && !has(what); ++i) std::this_thread::sleep_for(10ms);
    return has(what);
  }
};

LogTarget target(const std::string& path) {
  auto opened = LogTarget::open(path);
  REQUIRE(opened);
  return std::move(*opened);
}

struct Pipe {
  int ends[2];
  Pipe() { REQUIRE(::pipe2(ends, O_CLOEXEC) == 0); }
  ~Pipe() {
    for (const int fd : ends) {
      if (fd >= 0) ::close(fd);
    }
  }
  std::string read(size_t count) const {
    std::string text;
    char bytes[4096];
    while (text.size() < count) {
      pollfd poll_fd{ends[0], POLLIN, 0};
      if (::poll(&poll_fd, 1, 10'000) <= 0) break;
      const auto got = ::read(ends[0], bytes, std::min(sizeof bytes, count - text.size()));
      if (got <= 0) break;
      text.append(bytes, static_cast<size_t>(got));
    }
    return text;
  }
};

}  // namespace

TEST_CASE("log writer: neither a caller nor the destructor waits for a pipe that nobody reads") {
  const Pipe pipe;
  Told told;
  const auto begun = std::chrono::steady_clock::now();
  {
    LogWriter writer(LogTarget(pipe.ends[1], ""), told.options());
    const std::string line(999, 'x');
    for (int i = 0; i < 8000; ++i) writer.write(line + "\n");
    CHECK(told.dropped->load() > 0);
    CHECK(told.has(LogNews::What::lagging));
    CHECK_FALSE(writer.wait_until_written(50ms));
  }
  CHECK(std::chrono::steady_clock::now() - begun < 10s);
  CHECK(LogWriter::wait_for_ended(50ms) > 0);
  const auto written = (8000 - told.dropped->load()) * 1000;
  CHECK(pipe.read(written).size() == written);
  CHECK(LogWriter::wait_for_ended(kLong) == 0);
}

TEST_CASE("log writer: a pipe that is read again gets the lines that waited, and the loss is told") {
  const Pipe pipe;
  Told told;
  LogWriter writer(LogTarget(pipe.ends[1], ""), told.options());
  for (int i = 0; i < 8000; ++i) writer.write(std::string(999, 'x') + "\n");
  std::thread reader([&] { (void)pipe.read((8000 - told.dropped->load()) * 1000); });
  CHECK(told.comes(LogNews::What::recovered));
  reader.join();
}

TEST_CASE("log writer: lines lost on a full disk are counted") {
  Told told;
  LogWriter writer(target("/dev/full"), told.options());
  writer.write("one\ntwo\n");
  writer.write("three\n");
  CHECK(writer.wait_until_written(kLong));
  CHECK(told.dropped->load() == 3);
  CHECK(told.has(LogNews::What::failing));
}

TEST_CASE("log writer: after a torn line the next write starts with a newline, and only the torn line is lost") {
  const Folder folder;
  Told told;
  // A limit of the file's size tears a line just as a full disk does.
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{10, before.rlim_max};
  LogWriter writer(target(folder.file()), told.options());
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  writer.write("first\nsecond\n");  // ten bytes: "first\nseco"
  CHECK(writer.wait_until_written(kLong));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(told.dropped->load() == 1);
  writer.write("third\n");
  CHECK(writer.wait_until_written(kLong));
  CHECK(folder.text() == "first\nseco\nthird\n");
  CHECK(told.dropped->load() == 1);
  CHECK(told.has(LogNews::What::recovered));
  std::signal(SIGXFSZ, handler);
}

TEST_CASE("log writer: a line that an earlier process left unfinished is ended first") {
  const Folder folder;
  std::ofstream(folder.file()) << "torn";
  LogWriter writer(target(folder.file()));
  writer.write("whole\n");
  CHECK(writer.wait_until_written(kLong));
  CHECK(folder.text() == "torn\nwhole\n");
}

TEST_CASE("log writer: a named pipe without a reader opens at once, and its reader gets the lines that waited") {
  const Folder folder;
  REQUIRE(::mkfifo(folder.file().c_str(), 0600) == 0);
  Told told;
  LogWriter writer(target(folder.file()), told.options());
  writer.write("early\n");
  CHECK(told.comes(LogNews::What::no_reader));
  for (int round = 0; round < 2; ++round) {  // a second reader after the first is gone
    std::ifstream reader(folder.file());
    std::string line;
    if (round) writer.write("late\n");
    std::getline(reader, line);
    CHECK(line == (round ? "late" : "early"));
  }
  CHECK(told.dropped->load() == 0);
}

TEST_CASE("log writer: a pipe whose reader is gone loses lines and counts them") {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  ::close(std::exchange(pipe.ends[0], -1));
  Told told;
  LogWriter writer(LogTarget(pipe.ends[1], ""), told.options());
  writer.write("gone\n");
  CHECK(writer.wait_until_written(kLong));
  CHECK(told.dropped->load() == 1);
}

TEST_CASE("log writer: a socket that nobody reads makes no caller wait") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  Told told;
  {
    LogWriter writer(LogTarget(ends[1], ""), told.options());
    for (int i = 0; i < 8000; ++i) writer.write(std::string(999, 'x') + "\n");
    CHECK(told.dropped->load() > 0);
  }
  ::close(ends[0]);  // the thread ends: the write fails
  CHECK(LogWriter::wait_for_ended(kLong) == 0);
  ::close(ends[1]);
}

TEST_CASE("log writer: a file is opened again after a rotation, and the outcome is told") {
  const Folder folder;
  Told told;
  LogWriter writer(target(folder.file()), told.options());
  writer.write("old\n");
  CHECK(writer.wait_until_written(kLong));
  std::filesystem::rename(folder.file(), folder.file() + ".1");
  writer.reopen();
  CHECK(writer.wait_until_written(kLong));
  CHECK(told.has(LogNews::What::reopened));
  writer.write("new\n");
  CHECK(writer.wait_until_written(kLong));
  CHECK(folder.text() == "new\n");

  std::filesystem::remove(folder.file());
  std::filesystem::create_directory(folder.file());
  writer.reopen();
  CHECK(writer.wait_until_written(kLong));
  CHECK(told.has(LogNews::What::reopen_failed));
}

TEST_CASE("log writer: a named pipe that nobody reads can be left for a file by opening the log again") {
  const Folder folder;
  REQUIRE(::mkfifo(folder.file().c_str(), 0600) == 0);
  LogWriter writer(target(folder.file()));
  writer.write("waiting\n");
  std::filesystem::remove(folder.file());
  CHECK_FALSE(writer.wait_until_written(std::chrono::milliseconds(300)));  // the writer looks, and finds no pipe
  writer.reopen();
  CHECK(writer.wait_until_written(kLong));
  CHECK(folder.text() == "waiting\n");
}

TEST_CASE("log writer: the rest of a log that is gone has its time from then on, however long the reader had stopped") {
  const Pipe pipe;
  Told told;
  auto options = told.options();
  options.patience = 2s;
  const std::string line(999, 'x');
  {
    LogWriter writer(LogTarget(pipe.ends[1], ""), options);
    for (int i = 0; i < 500; ++i) writer.write(line + "\n");
    CHECK_FALSE(writer.wait_until_written(options.patience + 200ms));
  }
  CHECK(pipe.read(500'000).size() == 500'000);
  CHECK(LogWriter::wait_for_ended(kLong) == 0);
  CHECK(told.dropped->load() == 0);
}

TEST_CASE("log writer: the rest of a log that is gone is given up when nobody reads it, and counted") {
  const Pipe pipe;
  Told told;
  auto options = told.options();
  options.patience = 50ms;
  {
    LogWriter writer(LogTarget(pipe.ends[1], ""), options);
    for (int i = 0; i < 500; ++i) writer.write(std::string(999, 'x') + "\n");
  }
  CHECK(LogWriter::wait_for_ended(kLong) == 0);
  CHECK(told.dropped->load() > 0);
}

TEST_CASE("log writer: whoever waits for the end of a writer is woken by that end") {
  const Folder folder;
  const auto begun = std::chrono::steady_clock::now();
  const auto is_late = [&] { return std::chrono::steady_clock::now() - begun >= kLong; };
  for (int round = 0; round < 20 && !is_late(); ++round) {  // in some, the thread ends while it is waited for
    {
      LogWriter writer(target(folder.file()));
      for (int i = 0; i < 20; ++i) writer.write(std::string(99'999, 'x') + "\n");
    }
    CHECK(LogWriter::wait_for_ended(kLong) == 0);
  }
  CHECK_FALSE(is_late());
}

TEST_CASE("log writer: a request to open the log again that comes while it is opened is a second one") {
  const Folder folder;
  std::unique_ptr<LogWriter> writer;
  std::atomic<int> opened = 0;
  writer = std::make_unique<LogWriter>(target(folder.file()), LogWriterOptions{.tell = [&](const LogNews& news) {
                                         if (news.what != LogNews::What::reopened || ++opened > 1) return;
                                         std::filesystem::rename(folder.file(), folder.file() + ".1");
                                         writer->reopen();
                                       }});
  writer->reopen();
  CHECK(writer->wait_until_written(kLong));
  CHECK(opened == 2);
  writer->write("new\n");
  CHECK(writer->wait_until_written(kLong));
  CHECK(folder.text() == "new\n");
}
