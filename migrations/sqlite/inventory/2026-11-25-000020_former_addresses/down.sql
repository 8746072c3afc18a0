DROP TABLE former_paths;
DROP TABLE former_handles;
