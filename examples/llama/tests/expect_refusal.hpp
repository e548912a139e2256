// EXPECT_REFUSAL(statement, "part of the sentence"): the statement throws BadInput with these words in it.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "error.hpp"

#define EXPECT_REFUSAL(statement, words)                                                     \
  try {                                                                                      \
    statement;                                                                               \
    ADD_FAILURE() << #statement << " was not refused";                                       \
  } catch (const llama::BadInput& refusal) {                                                 \
    EXPECT_NE(std::string(refusal.what()).find(words), std::string::npos) << refusal.what(); \
  }
