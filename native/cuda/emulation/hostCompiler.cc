#include "hostCompiler.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

#include "embedded.h"

extern "C" char** environ;

namespace emulation {
namespace {

namespace fs = std::filesystem;

// As device code is compiled for a GPU, every operation by itself; -O1 compiles fastest of all that still run well; of the C
// library nothing is linked, since what calls the library has it.
const std::vector<std::string>& standardFlags() {
  static const std::vector<std::string> flags = [] {
    std::vector<std::string> all = {"-x",
                                    "c++",
                                    "-std=c++17",
                                    "-O1",
                                    "-w",
                                    "-ffp-contract=off",
                                    "-fno-strict-aliasing",
                                    "-fwrapv",
                                    "-fno-exceptions",
                                    "-fno-rtti",
                                    "-fno-gnu-unique",
                                    "-fno-asynchronous-unwind-tables",
                                    "-fno-stack-protector",
                                    "-fvisibility=hidden",
                                    "-fPIC",
                                    "-shared",
                                    // An access that is not aligned is a fault of a GPU; here it becomes one.
                                    "-fsanitize=alignment",
                                    "-fsanitize-undefined-trap-on-error",
                                    "-nostdlib",
                                    "-DTHALWEG_EMULATION",
                                    "-DTHALWEG_EMULATION_MODULE"};
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("fma")) all.push_back("-mfma");
#endif
    return all;
  }();
  return flags;
}

uint64_t hash(const std::string& text, uint64_t seed = 0xcbf29ce484222325u) {
  for (const char letter : text) seed = (seed ^ uint8_t(letter)) * 0x100000001b3u;
  return seed;
}

void writeFile(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), std::streamsize(text.size()));
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

// Where compilers read and write; gone with the process.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "thalweg-emulation-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder like " + name);
    path = name;
    writeFile(path / "state.h", embeddedState());
    writeFile(path / "emulation.h", embeddedEmulation());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }

  // A folder with these headers, the same for the same.
  fs::path headers(const std::vector<std::pair<std::string, std::string>>& all) {
    uint64_t key = 0xcbf29ce484222325u;
    for (const auto& [name, text] : all) key = hash(text, hash(name + '\n', key) + text.size());
    const fs::path folder = path / ("headers" + std::to_string(key));
    const std::lock_guard<std::mutex> lock(mutex);
    if (!written.insert(key).second) return folder;
    fs::create_directories(folder);
    for (const auto& [name, text] : all) {
      const fs::path file = fs::path(name).lexically_normal();
      if (file.empty() || file.is_absolute() || *file.begin() == "..") throw std::runtime_error("a header is called " + name);
      fs::create_directories((folder / file).parent_path());
      writeFile(folder / file, text);
    }
    return folder;
  }

  // What is included before a source that begins by including `first`: the emulation, and that header too once several such
  // sources have come, both compiled beforehand. `compile` makes a precompiled header; a compiler that has none is not asked
  // again.
  template <class Compile>
  fs::path prelude(const fs::path& headers, const std::string& first, const Compile& compile) {
    const fs::path plain = path / "emulation.h";
    if (first.empty()) return plain;
    const std::lock_guard<std::mutex> lock(mutex);
    Prelude& known = preludes[headers.string() + '\n' + first];
    if (++known.uses < sourcesBeforePrelude) return plain;
    if (known.path.empty()) {
      const fs::path file = headers / ("prelude" + std::to_string(preludes.size()) + ".h");
      writeFile(file, "#include \"" + plain.string() + "\"\n#include \"" + first + "\"\n");
      known.path = compile(file) ? file : plain;
    }
    return known.path;
  }

  fs::path output() { return path / ("module" + std::to_string(++outputs) + ".so"); }

  fs::path path;

 private:
  struct Prelude {
    unsigned uses = 0;
    fs::path path;
  };
  static constexpr unsigned sourcesBeforePrelude = 4;

  std::mutex mutex;
  std::map<std::string, Prelude> preludes;
  std::set<uint64_t> written;
  std::atomic<unsigned> outputs{0};
};

Folder& folder() {
  static Folder one;
  return one;
}

struct Pipe {
  int read = -1;
  int write = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(std::string("pipe: ") + strerror(errno));
    read = ends[0];
    write = ends[1];
  }
  ~Pipe() {
    closeRead();
    closeWrite();
  }
  void closeRead() {
    if (read >= 0) close(read);
    read = -1;
  }
  void closeWrite() {
    if (write >= 0) close(write);
    write = -1;
  }
};

// Feeds `input` to a program and collects all it prints; its exit status, or -1 and why it could not be run.
int runProgram(const std::vector<std::string>& words, const std::string& input, std::string& printed) {
  Pipe in, out;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write, 1);
  posix_spawn_file_actions_adddup2(&actions, out.write, 2);
  // Threads of Node block signals that a compiler should get, and ignore one that should end it.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t process = 0;
  const int failed = posix_spawnp(&process, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    printed = words[0] + ": " + strerror(failed);
    return -1;
  }
  in.closeRead();
  out.closeWrite();

  // A write to a compiler that has given up must not end this process.
  sigset_t pipeSignal, before;
  sigemptyset(&pipeSignal);
  sigaddset(&pipeSignal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipeSignal, &before);
  fcntl(in.write, F_SETFL, O_NONBLOCK);
  size_t fed = 0;
  if (input.empty()) in.closeWrite();
  char buffer[8192];
  for (bool open = true; open;) {
    pollfd watched[2] = {{out.read, POLLIN, 0}, {in.write, POLLOUT, 0}};
    if (poll(watched, 2, -1) < 0 && errno != EINTR) break;
    if (in.write >= 0 && watched[1].revents != 0) {
      const ssize_t written = write(in.write, input.data() + fed, input.size() - fed);
      if (written > 0) fed += size_t(written);
      if (fed == input.size() || (written < 0 && errno != EAGAIN && errno != EINTR)) in.closeWrite();
    }
    if (watched[0].revents != 0) {
      const ssize_t got = read(out.read, buffer, sizeof buffer);
      if (got > 0) printed.append(buffer, size_t(got));
      open = got > 0 || (got < 0 && errno == EINTR);
    }
  }
  const timespec noTime = {0, 0};
  sigset_t pending;
  if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1 && sigismember(&before, SIGPIPE) == 0)
    sigtimedwait(&pipeSignal, nullptr, &noTime);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);

  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

std::vector<std::string> wordsOf(const char* text) {
  std::istringstream stream(text == nullptr ? "" : text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> compilerWords() {
  std::vector<std::string> words = wordsOf(getenv("THALWEG_CUDA_EMULATION_CXX"));
  if (words.empty()) words = {"c++"};
  return words;
}

// The header that a source includes in its first line, if it begins so.
std::string firstInclude(const std::string& source) {
  const std::string begin = "#include \"";
  if (source.compare(0, begin.size(), begin) != 0) return "";
  const size_t end = source.find('"', begin.size());
  return end == std::string::npos ? "" : source.substr(begin.size(), end - begin.size());
}

}  // namespace

Compilation compileForHost(const std::string& source, const std::string& name,
                           const std::vector<std::pair<std::string, std::string>>& headers,
                           const std::vector<std::string>& options) {
  Compilation compilation;
  try {
    const fs::path output = folder().output();
    const fs::path included = folder().headers(headers);
    std::vector<std::string> words = compilerWords();
    const std::vector<std::string>& flags = standardFlags();
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), {"-I", included.string()});
    words.insert(words.end(), options.begin(), options.end());
    for (const std::string& flag : wordsOf(getenv("THALWEG_CUDA_EMULATION_FLAGS"))) words.push_back(flag);
    const auto precompile = [&](const fs::path& header) {
      std::vector<std::string> all = words;
      all.insert(all.end(), {"-x", "c++-header", "-o", header.string() + ".gch", header.string()});
      std::string printed;
      return runProgram(all, "", printed) == 0;
    };
    const fs::path before = folder().prelude(included, firstInclude(source), precompile);
    words.insert(words.end(), {"-include", before.string(), "-o", output.string(), "-"});
    const int status = runProgram(words, "#line 1 \"" + name + "\"\n" + source, compilation.log);
    if (status == 0) {
      std::ifstream file(output, std::ios::binary);
      compilation.image.assign(std::istreambuf_iterator<char>(file), {});
      compilation.done = !compilation.image.empty();
    }
    std::error_code ignored;
    fs::remove(output, ignored);
  } catch (const std::exception& error) {
    compilation.log = error.what();
  }
  return compilation;
}

uint64_t hostCompilerVersion() {
  static const uint64_t version = [] {
    uint64_t key = hash(embeddedEmulation(), hash(embeddedState()));
    for (const std::string& flag : standardFlags()) key = hash(flag + '\n', key);
    return key;
  }();
  return version;
}

}  // namespace emulation
