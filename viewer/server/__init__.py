"""The hospital server: studies in from scanners and the PACS, analysis unattended, results back, a worklist for people. Needs neither trame nor vtk."""
