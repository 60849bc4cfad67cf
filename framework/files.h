#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// Writes a file that replaces `path` as a whole. A reader finds the old file or the new one, never
/// a part, even after a power failure. Until commit() the bytes are in PATH.partial; without
/// commit(), the destructor removes that file.
///
/// Throws Error when anything fails. The message names the file, the reason, what to do, and
/// whether the old file is still there.
class FileWriter {
 public:
  explicit FileWriter(std::filesystem::path path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* bytes, std::size_t count);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  /// Overwrites bytes that were written before, such as a header that is only known at the end.
  void write_at(std::uint64_t offset, const void* bytes, std::size_t count);
  /// Writes the bytes to the disk, renames the file to `path`, and writes the folder to the disk.
  void commit();

 private:
  void flush();
  void write_through(const char* from, std::size_t count);

  std::filesystem::path path_;
  std::filesystem::path partial_;
  int file_;
  std::vector<char> buffer_;
};

/// Appends lines to a file, which is created if it does not exist. Throws Error, with the name of
/// the file, when anything fails.
class FileAppender {
 public:
  explicit FileAppender(std::filesystem::path path);
  ~FileAppender();
  FileAppender(const FileAppender&) = delete;
  FileAppender& operator=(const FileAppender&) = delete;

  void write(std::string_view text);  // without a buffer, so that a reader sees whole lines
  void sync();                        // waits until everything is on the disk

 private:
  std::filesystem::path path_;
  int file_;
};

/// Writes a whole file with FileWriter.
void replace_file(const std::filesystem::path& path, std::string_view bytes);
/// Replaces the file `name` by a hard link to the file `path`. On file systems without hard links
/// it becomes a copy.
void replace_by_link(const std::filesystem::path& path, const std::filesystem::path& name);

/// Reads a regular file from its beginning.
///
/// Throws Error, with the name of the file, when
/// - it is not a regular file;
/// - it cannot be read;
/// - it has become shorter since it was opened.
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

/// Reads a whole file. Throws Error, with the name of the file, when it cannot be read or has more
/// than `most` bytes.
std::string read_file(const std::filesystem::path& path, std::uint64_t most);

/// Locks a folder for one process while it lives. The lock also ends with the process, even if that
/// is killed. On file systems without locks it does nothing.
class FolderLock {
 public:
  /// Throws Error when another process has locked the folder.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// Throws Error when the folder has been moved or removed since: a folder that has its name now
  /// belongs to something else.
  void check() const;

 private:
  std::filesystem::path path_;
  int folder_;
};

}  // namespace heed
