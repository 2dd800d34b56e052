#pragma once

#include <vector>

#include "exchange/filter_metrics.h"
#include "observe/cell_names.h"
#include "observe/families.h"
#include "observe/metrics.h"

namespace weir::observe {

// What a scrape consists of: each adds its families.
using Workers = std::vector<const WorkerMetrics*>;
void gather_workers(const CellNames& names, const Workers& workers, Families& families);
void gather_turns(const Workers& workers, Families& families);
void gather_endpoints(const std::vector<EndpointSample>& endpoints, Families& families);
void gather_certificates(const std::vector<CertificateSample>& certificates, Families& families);
void gather_filters(const FilterMetrics& metrics, Families& families);
void gather_process(Families& families);

}  // namespace weir::observe
