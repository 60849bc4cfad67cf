#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// Writes a file that takes the place of `path` as a whole: whoever reads it, even after a power
/// failure, finds the old file or the new one. It grows under the name PATH.partial, which is taken
/// away again unless commit() is reached. Whatever fails throws Error: the file, why, what to do,
/// and what became of the old one.
class FileWriter {
 public:
  explicit FileWriter(std::filesystem::path path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* bytes, std::size_t count);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  /// Over what was written before, for a header that is known at the end.
  void write_at(std::uint64_t offset, const void* bytes, std::size_t count);
  /// To the disk, then under its name, then the name to the disk.
  void commit();

 private:
  void flush();
  void write_through(const char* from, std::size_t count);

  std::filesystem::path path_;
  std::filesystem::path partial_;
  int file_;
  std::vector<char> buffer_;
};

/// Lines at the end of a file, which is made where there is none. What fails throws Error, naming
/// the file.
class FileAppender {
 public:
  explicit FileAppender(std::filesystem::path path);
  ~FileAppender();
  FileAppender(const FileAppender&) = delete;
  FileAppender& operator=(const FileAppender&) = delete;

  void write(std::string_view text);  // at once: a reader sees whole lines
  void sync();                        // to the disk

 private:
  std::filesystem::path path_;
  int file_;
};

void replace_file(const std::filesystem::path& path, std::string_view bytes);
/// Makes `name` another name of the file `path`, in the place of what it named (a copy where the
/// file system has no hard links).
void replace_by_link(const std::filesystem::path& path, const std::filesystem::path& name);

/// Reads a regular file from its beginning. Throws Error, naming it, when it is none, cannot be
/// read, or is shorter than it was.
class FileReader {
 public:
  explicit FileReader(std::filesystem::path path);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  std::uint64_t size() const { return size_; }
  void read(void* to, std::size_t count);  // the next `count` bytes

 private:
  std::filesystem::path path_;
  int file_;
  std::uint64_t size_ = 0;
};

/// The whole file. Throws Error, naming it, when it cannot be read or has more than `most` bytes.
std::string read_file(const std::filesystem::path& path, std::uint64_t most);

/// Keeps a folder for one process at a time, from its construction to its end (of the process,
/// however that comes).
class FolderLock {
 public:
  /// Throws Error when another has it. Where the file system knows no locks there is none.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// Throws Error when the folder has been moved or removed: what has its name now, if anything, is
  /// another one's.
  void check() const;

 private:
  std::filesystem::path path_;
  int folder_;
};

}  // namespace heed
