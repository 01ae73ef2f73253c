// What the library says, which is one log for the whole process: its warnings go to all participants; what it says
// while a domain is created explains a failure.
#pragma once

#include <string>

#include "mailbox.h"

// The mailbox gets what the library warns of while this lives.
class LogSubscription {
 public:
  explicit LogSubscription(Mailbox& mailbox);
  ~LogSubscription();
  LogSubscription(const LogSubscription&) = delete;
  LogSubscription& operator=(const LogSubscription&) = delete;

 private:
  Mailbox& mailbox_;
};

// Takes what the library says while this lives, in place of the participants. One at a time.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  // Lines are joined by `; `.
  std::string text() const;

 private:
  std::string text_;
};
