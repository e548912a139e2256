// Attention: Sequence.attend, AttendItem and attend.
#pragma once

#include "handles.hpp"

namespace tqpy {

void add_attend_method(py::class_<SequenceHandle, std::shared_ptr<SequenceHandle>>& sequence);

}  // namespace tqpy
