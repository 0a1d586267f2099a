"""TIFF, EXIF and DNG tag numbers by the names the standards give them (TIFF 6.0, EXIF 3.0, DNG 1.7)."""

from __future__ import annotations

from enum import IntEnum


class Tag(IntEnum):
    """Tags read or written here."""

    NewSubfileType = 254
    ImageWidth = 256
    ImageLength = 257
    BitsPerSample = 258
    Compression = 259
    PhotometricInterpretation = 262
    ImageDescription = 270
    Make = 271
    Model = 272
    StripOffsets = 273
    Orientation = 274
    SamplesPerPixel = 277
    RowsPerStrip = 278
    StripByteCounts = 279
    PlanarConfiguration = 284
    Software = 305
    DateTime = 306
    Artist = 315
    Predictor = 317
    TileWidth = 322
    TileLength = 323
    TileOffsets = 324
    TileByteCounts = 325
    SubIFDs = 330
    SampleFormat = 339
    CFARepeatPatternDim = 33421
    CFAPattern = 33422
    Copyright = 33432
    ExposureTime = 33434
    FNumber = 33437
    ExifIFD = 34665
    GPSInfo = 34853
    ISOSpeedRatings = 34855
    RecommendedExposureIndex = 34866
    DateTimeOriginal = 36867
    OffsetTimeOriginal = 36881
    ShutterSpeedValue = 37377
    FocalLength = 37386
    SubSecTimeOriginal = 37521
    FocalLengthIn35mmFilm = 41989
    BodySerialNumber = 42033
    LensMake = 42035
    LensModel = 42036
    CompositeImage = 42080
    SourceImageNumberOfCompositeImage = 42081
    SourceExposureTimesOfCompositeImage = 42082
    DNGVersion = 50706
    DNGBackwardVersion = 50707
    UniqueCameraModel = 50708
    CFAPlaneColor = 50710
    CFALayout = 50711
    LinearizationTable = 50712
    BlackLevelRepeatDim = 50713
    BlackLevel = 50714
    BlackLevelDeltaH = 50715
    BlackLevelDeltaV = 50716
    WhiteLevel = 50717
    DefaultScale = 50718
    DefaultCropOrigin = 50719
    DefaultCropSize = 50720
    ColorMatrix1 = 50721
    ColorMatrix2 = 50722
    CameraCalibration1 = 50723
    CameraCalibration2 = 50724
    AnalogBalance = 50727
    AsShotNeutral = 50728
    AsShotWhiteXY = 50729
    BaselineExposure = 50730
    CalibrationIlluminant1 = 50778
    CalibrationIlluminant2 = 50779
    ActiveArea = 50829
    CameraCalibrationSignature = 50931
    ProfileCalibrationSignature = 50932
    ForwardMatrix1 = 50964
    ForwardMatrix2 = 50965
    RowInterleaveFactor = 50975
    OpcodeList1 = 51008
    OpcodeList2 = 51009
    OpcodeList3 = 51022
    NoiseProfile = 51041
    BaselineExposureOffset = 51109
    DefaultUserCrop = 51125
    ColumnInterleaveFactor = 52547
    ApochromatFrames = 65200  # private: a directory with the map of merged frames
